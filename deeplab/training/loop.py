"""The training loop: steps, a log, evaluations on a schedule, checkpoints.

A run is a function of its settings. Everything random comes from (seed, epoch, index) or is
saved with the checkpoint, so a run that is stopped anywhere and started again gives the bits
of one that never stopped (on a CPU, with equal threads and library versions).

Without log, checkpoints, evaluations, signals, processes and mixed precision it is this::

    model.train()
    optimizer = make_optimizer(model, base_lr=base_lr, weight_decay=weight_decay)
    batches = EpochBatches(...)  # lists of (epoch, index), in the order that the seed gives
    for step, (image, label) in enumerate(DataLoader(samples, batch_sampler=batches)):
        set_lr(optimizer, poly_lr(step, base_lr=base_lr, total_steps=total_steps))
        optimizer.zero_grad()
        logits = model(image)  # at feature resolution
        loss = 0
        for scores, weight in ((logits.main, 1), (logits.aux, 0.4)):
            full = F.interpolate(scores, label.shape[1:], mode="bilinear")
            loss += weight * F.cross_entropy(full, label, ignore_index=255)
        loss.backward()
        optimizer.step()
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from deeplab.data.sampling import EpochBatches, TrainSamples
from deeplab.evaluation.metrics import Evaluation
from deeplab.model.network import DeepLabV3
from deeplab.support.background import Background
from deeplab.support.crash import crash_point
from deeplab.support.cuda import cuda_mode
from deeplab.support.errors import UsageError
from deeplab.support.locks import TRAINER, locked
from deeplab.support.machine import shorten_loader_sockets
from deeplab.support.signals import die_with
from deeplab.support.streams import LateValues, prefetched
from deeplab.support.torch_errors import translate_torch_errors
from deeplab.training.checkpoint import Checkpoints, restore_training
from deeplab.training.failures import check_finite
from deeplab.training.ranks import SINGLE_PROCESS, Ranks
from deeplab.training.recipe import Losses, poly_lr, segmentation_loss, set_lr
from deeplab.training.runlog import RunLog
from deeplab.training.session import Evaluate, Training
from deeplab.training.settings import TrainingSettings
from deeplab.training.signals import StopRequest

TRAINER_LOCK_SECONDS = 15  # seconds; the loaders of a killed training may hold its lock for up to 5
SHOWN_LOSSES = 5  # of the steps before a divergence, in its message


def train(model: DeepLabV3, samples: TrainSamples, settings: TrainingSettings, *, folder: Path,
          identity: dict[str, Any], evaluate: Evaluate, ranks: Ranks = SINGLE_PROCESS,
          say: Callable[[str], None] = print) -> Evaluation:
    """Train `model` in place up to `settings.stop_step` and return its last evaluation.

    Writes `log.jsonl` and `checkpoints/` below `folder` and goes on from what is there; of
    several `ranks`, which all call this alike, the first one writes.
    Raises, with the last good checkpoint in place: `DivergedError` (E-DIVERGED) when a loss or
    a weight is no longer finite, `ResourceError` (E-OOM, E-WORKER), `Stopped` when asked to by
    a signal; `LockedError` if another process trains here, `UsageError` (E-STEPS) if the run
    is beyond `stop_step`.
    """
    alone = (locked(folder / TRAINER, patience=TRAINER_LOCK_SECONDS) if ranks.is_first
             else nullcontext())
    with (StopRequest() as stop, alone, Background() as writer, cuda_mode(training=True),
          translate_torch_errors(f"a step of {settings.batch_size} images", settings.workers)):
        torch.manual_seed(settings.seed + ranks.rank)
        checkpoints = Checkpoints(folder / "checkpoints", identity)
        run = Training(model, settings, ranks, writer)
        state = ranks.in_turn(checkpoints.load)
        if state:
            restore_training(state, model, run.optimizer, run.scaler, ranks, settings.device)
        log = RunLog(folder / "log.jsonl", state, settings.total_steps, ranks, say)
        step, recent, evaluation, unread = log.step, [], None, deque()
        check_not_beyond(settings.stop_step, step, folder)
        if settings.is_evaluated(step):  # what follows the checkpoint it goes on from
            evaluation = run.evaluated(evaluate, step, stop, log)
        for image, label in batches(samples, settings, start_step=step, ranks=ranks):
            lr = poly_lr(step, base_lr=settings.base_lr, total_steps=settings.total_steps)
            losses = train_step(run.network, run.optimizer, run.scaler, image, label, lr=lr,
                                settings=settings)
            step, asked, due = step + 1, False, False
            crash_point("step")
            unread.append((step, lr, LateValues(losses.total, losses.aux)))
            while len(unread) > settings.left_unread(step):
                number, lr, values = unread.popleft()
                loss, aux, asked, due = ranks.mean(*values.read(), stop.requested, run.is_due)
                recent = check_finite([*recent, loss][-SHOWN_LOSSES:], step=number, lr=lr)
            if settings.is_logged(step):
                log.loss(step, lr=lr, loss=loss, loss_aux=aux)
            if settings.is_saved(step) or asked or due:  # before an evaluation, which may end
                run.save(checkpoints, step, log)
            if asked:
                writer.wait()
                raise stop.stopped(step, settings.total_steps)
            if settings.is_evaluated(step):
                evaluation = run.evaluated(evaluate, step, stop, log)
        return evaluation


def check_not_beyond(stop_step: int, step: int, folder: Path) -> None:
    """Raise `UsageError` (E-STEPS) if a run at `step` is to stop at an earlier one."""
    if step > stop_step:
        raise UsageError.of("E-STEPS", "the run is already beyond the steps asked for",
                            file=folder, found=f"step {step}", expected=f"at most {stop_step}",
                            do="ask for more steps, or choose another folder with --results")


def batches(samples: TrainSamples, settings: TrainingSettings, *, start_step: int,
            ranks: Ranks = SINGLE_PROCESS) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of steps `start_step` to `stop_step` - 1: image (N, 3, H, W), label (N, H, W).

    Workers hand over bytes, which are normalised here, on the device that trains. The loader
    has a generator of its own: without one it would draw from the global stream each time it
    starts, and an evaluation or a resume would change the dropout that follows.
    """
    sampler = EpochBatches(num_images=len(samples), batch_size=settings.batch_size,
                           seed=settings.seed, start_step=start_step,
                           total_steps=settings.stop_step, rank=ranks.rank, world=ranks.world)
    if settings.workers:
        shorten_loader_sockets()
    loader = DataLoader(samples.crops, batch_sampler=sampler, num_workers=settings.workers,
                        generator=torch.Generator().manual_seed(start_step),
                        worker_init_fn=partial(die_with, os.getpid()),
                        pin_memory=settings.device.startswith("cuda"))
    yield from prefetched(loader, lambda crops: crops.finish(settings.device), settings.device)


def train_step(network: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler,
               image: Tensor, label: Tensor, *, lr: float, settings: TrainingSettings) -> Losses:
    """One optimiser update on one batch; returns the losses before it."""
    device = settings.device
    image = image.to(device, non_blocking=True, memory_format=torch.channels_last)  # faster
    label = label.to(device, non_blocking=True)
    set_lr(optimizer, lr)
    optimizer.zero_grad(set_to_none=True)
    half = settings.autocast_type
    with torch.autocast(torch.device(device).type, dtype=half, enabled=half is not None):
        logits = network(image)
    losses = segmentation_loss(logits, label[:, ::settings.label_step, ::settings.label_step])
    scaler.scale(losses.total).backward()
    scaler.step(optimizer)
    scaler.update()
    return losses
