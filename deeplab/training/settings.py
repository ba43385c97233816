"""What a training is asked to do, beside network and data."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class TrainingSettings:
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
    precision: str = "float32"  # or "float16", with a scaled loss, or "bfloat16"
    label_step: int = 1  # the loss sees every so many-th row and column of the label
    workers: int = 0  # processes that decode and augment; the samples are the same for any number

    def is_evaluated(self, step: int) -> bool:
        """Whether the network is evaluated after `step` steps."""
        return step == self.stop_step or (step > 0 and step % self.evaluate_every == 0)

    def is_saved(self, step: int) -> bool:
        """Whether a checkpoint is written after `step` steps."""
        return self.is_evaluated(step) or step % self.checkpoint_every == 0

    @property
    def is_scaled(self) -> bool:
        """Whether the loss is scaled: float16 begins at 6e-8; bfloat16 reaches as far as float32.

        bfloat16 has 8 bits of mantissa for it, float16 has 11.
        """
        return self.precision == "float16"

    @property
    def autocast_type(self) -> torch.dtype | None:
        """The type of the network's maps; None for that of the weights."""
        return None if self.precision == "float32" else getattr(torch, self.precision)

    def is_logged(self, step: int) -> bool:
        """Whether the log gets the loss of step number `step`."""
        return step % self.log_every == 0 or step == self.stop_step

    def left_unread(self, step: int) -> int:
        """Losses that may wait after `step` steps: the newest one, while CUDA computes it."""
        waits = self.is_logged(step) or self.is_saved(step)
        return 1 if self.device.startswith("cuda") and not waits else 0
