"""The training loop: steps, a log, evaluations on a schedule, checkpoints.

A run is a function of its settings. Everything random comes from (seed, epoch, index) or is
saved with the checkpoint, so a run that is stopped anywhere and started again gives the bits
of one that never stopped (on a CPU, with equal threads and library versions).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from deeplab.data.sampling import EpochBatches, TrainSamples
from deeplab.errors import DivergedError
from deeplab.evaluation.inference import Evaluation
from deeplab.files import JsonLines, crash_point
from deeplab.model.network import DeepLabV3
from deeplab.training.checkpoint import Checkpoints, restore_training, training_state
from deeplab.training.recipe import Losses, make_optimizer, poly_lr, segmentation_loss, set_lr
from deeplab.training.signals import StopRequest

Evaluate = Callable[[DeepLabV3], Evaluation]
SHOWN_LOSSES = 5  # of the steps before a divergence, in its message


@dataclass(frozen=True)
class Settings:
    """Everything that decides how a training goes, beside network and data."""

    seed: int
    batch_size: int  # images per step over all processes
    total_steps: int  # length of the poly schedule
    stop_step: int  # steps to do now; below total_steps for a run that is cut short
    base_lr: float
    weight_decay: float
    evaluate_every: int  # steps; the last step is always evaluated
    checkpoint_every: int  # steps
    log_every: int  # steps
    device: str = "cpu"
    amp: bool = False  # mixed precision (float16 with loss scaling) on CUDA
    workers: int = 0  # processes that decode and augment; the samples are the same for any number

    def is_evaluated(self, step: int) -> bool:
        """Whether the network is evaluated after `step` steps."""
        return step == self.stop_step or step % self.evaluate_every == 0

    def is_saved(self, step: int) -> bool:
        """Whether a checkpoint is written after `step` steps."""
        return self.is_evaluated(step) or step % self.checkpoint_every == 0


def train(model: DeepLabV3, samples: TrainSamples, settings: Settings, *, folder: Path,
          identity: dict[str, Any], evaluate: Evaluate,
          say: Callable[[str], None] = print) -> Evaluation:
    """Train `model` in place up to `settings.stop_step` and return its last evaluation.

    Writes `log.jsonl` and `checkpoints/` below `folder` and goes on from what is there.
    Raises `DivergedError` (E-DIVERGED) when the loss is no longer finite, and `Stopped` when
    asked to stop by a signal, both with the last good checkpoint in place.
    """
    torch.manual_seed(settings.seed)
    model.to(settings.device).train()
    optimizer = make_optimizer(model, base_lr=settings.base_lr,
                               weight_decay=settings.weight_decay)
    scaler = torch.amp.GradScaler(settings.device, enabled=settings.amp)
    checkpoints = Checkpoints(folder / "checkpoints", identity)
    state = checkpoints.load()
    if state:
        restore_training(state, model, optimizer, scaler)
        say(f"going on from step {state['step']} of {settings.total_steps}")
    step = state["step"] if state else 0
    log = JsonLines(folder / "log.jsonl", size=state["log_size"] if state else 0)
    if not state:
        log.write(step=0, total_steps=settings.total_steps, batch_size=settings.batch_size)
    clock, evaluation, recent = time.perf_counter(), None, []
    with StopRequest() as stop:
        for image, label in batches(samples, settings, start_step=step):
            lr = poly_lr(step, base_lr=settings.base_lr, total_steps=settings.total_steps)
            losses = train_step(model, optimizer, scaler, image, label, lr=lr, settings=settings)
            recent = [*recent, losses.total.item()][-SHOWN_LOSSES:]
            check_finite(recent, step=step, lr=lr)
            step += 1
            crash_point("step")
            if step % settings.log_every == 0 or step == settings.stop_step:
                log.write(step=step, lr=lr, loss=recent[-1], loss_aux=losses.aux.item(),
                          seconds=round(time.perf_counter() - clock, 2))
            if settings.is_evaluated(step):
                evaluation = evaluate(model)
                log.write(step=step, miou=evaluation.mean_iou,
                          class_iou=[None if math.isnan(value) else value
                                     for value in evaluation.class_iou.tolist()],
                          seconds=round(time.perf_counter() - clock, 2))
                say(f"step {step:>5} of {settings.total_steps}   loss {recent[-1]:.3f}   "
                    f"mIoU {evaluation.mean_iou:.2f} %")
            if settings.is_saved(step) or stop.requested:
                checkpoints.save(step, {**training_state(model, optimizer, scaler),
                                        "log_size": log.size})
            if stop.requested and step < settings.stop_step:
                raise stop.stopped(step, settings.total_steps)
    log.close()
    return evaluation or evaluate(model)


def batches(samples: TrainSamples, settings: Settings,
            start_step: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of steps `start_step` to `stop_step` - 1: image (N, 3, H, W), label (N, H, W).

    The loader has a generator of its own: without one it would draw from the global stream
    each time it starts, and an evaluation or a resume would change the dropout that follows.
    """
    sampler = EpochBatches(num_images=len(samples), batch_size=settings.batch_size,
                           seed=settings.seed, start_step=start_step,
                           total_steps=settings.stop_step)
    yield from DataLoader(samples, batch_sampler=sampler, num_workers=settings.workers,
                          generator=torch.Generator().manual_seed(start_step),
                          pin_memory=settings.device.startswith("cuda"),
                          persistent_workers=settings.workers > 0)


def train_step(model: DeepLabV3, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler,
               image: Tensor, label: Tensor, *, lr: float, settings: Settings) -> Losses:
    """One optimiser update on one batch; returns the losses before it."""
    device = settings.device
    image, label = (tensor.to(device, non_blocking=True) for tensor in (image, label))
    set_lr(optimizer, lr)
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(torch.device(device).type, dtype=torch.float16, enabled=settings.amp):
        logits = model(image)
    losses = segmentation_loss(logits, label)
    scaler.scale(losses.total).backward()
    scaler.step(optimizer)
    scaler.update()
    return losses


def check_finite(recent: list[float], *, step: int, lr: float) -> None:
    """Raise `DivergedError` (E-DIVERGED) if the newest of the `recent` losses is not finite."""
    if math.isfinite(recent[-1]):
        return
    raise DivergedError.of(
        "E-DIVERGED", f"the loss is no longer finite at step {step}",
        found=", ".join(f"{loss:.4g}" for loss in recent), expected="finite numbers",
        do=f"look at the data of this step, or lower the learning rate ({lr:.4g}); "
           "the last good checkpoint is kept")
