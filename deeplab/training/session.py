"""A network in training and what belongs to it: optimiser, gradient scaler, checkpoints."""

import time
from collections.abc import Callable
from functools import partial

import torch

from deeplab.evaluation.metrics import Evaluation
from deeplab.model.network import DeepLabV3
from deeplab.support.background import Background
from deeplab.training.checkpoint import Checkpoints, snapshot, training_state
from deeplab.training.failures import check_weights
from deeplab.training.ranks import Ranks
from deeplab.training.recipe import make_optimizer
from deeplab.training.runlog import RunLog
from deeplab.training.settings import TrainingSettings
from deeplab.training.signals import StopRequest

Evaluate = Callable[[DeepLabV3, Callable[[int, int], None]], Evaluation]
CHECKPOINT_SECONDS = 600  # seconds, at most, from one checkpoint to the next
IN_THREAD = ("cuda", "mps")  # devices beside which a core is free to write checkpoints


class Training:
    """A network in training, its optimiser and its gradient scaler, for one of the `ranks`."""

    def __init__(self, model: DeepLabV3, settings: TrainingSettings, ranks: Ranks,
                 writer: Background | None = None):
        self.model, self.ranks, self.total_steps = model, ranks, settings.total_steps
        self.device, self._writer = settings.device, writer or Background()
        self._saved = time.monotonic()
        model.to(settings.device, memory_format=torch.channels_last).train()
        self.network = ranks.wrapped(model, settings.device)
        self.optimizer = make_optimizer(model, base_lr=settings.base_lr,
                                        weight_decay=settings.weight_decay)
        self.scaler = torch.amp.GradScaler(settings.device, enabled=settings.is_scaled)

    @property
    def is_due(self) -> bool:
        """Whether too much time has passed since the last checkpoint."""
        return time.monotonic() - self._saved > CHECKPOINT_SECONDS

    def save(self, checkpoints: Checkpoints, step: int, log: RunLog) -> None:
        """Write a checkpoint after `step` steps; raises `DivergedError` for infinite weights.

        On a GPU it is written while the training goes on; what that raises comes later.
        """
        check_weights(self.model, step)
        state = training_state(self.model, self.optimizer, self.scaler, self.ranks,
                               self.device)
        self._saved = time.monotonic()
        if not self.ranks.is_first:
            return
        if self.device in IN_THREAD:
            self._writer.start(partial(checkpoints.save, step, snapshot(state | log.position)))
        else:
            checkpoints.save(step, state | log.position)

    def evaluated(self, evaluate: Evaluate, step: int, stop: StopRequest,
                  log: RunLog) -> Evaluation:
        """The evaluation after `step` steps, logged; raises `Stopped` when asked to stop."""
        self.ranks.share_buffers(self.model)
        evaluation = evaluate(self.model, stop.watch(step, self.total_steps))
        log.evaluation(step, evaluation)
        return evaluation
