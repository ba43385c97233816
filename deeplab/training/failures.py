"""Checks for losses and weights that are not finite."""

import math

import torch

from deeplab.support.errors import DivergedError


def check_finite(recent: list[float], *, step: int, lr: float) -> list[float]:
    """The `recent` losses; raises `DivergedError` (E-DIVERGED) if the newest is not finite."""
    if math.isfinite(recent[-1]):
        return recent
    raise DivergedError.of(
        "E-DIVERGED", f"the loss is no longer finite at step {step}",
        found=", ".join(f"{loss:.4g}" for loss in recent), expected="finite numbers",
        do=f"look at the data of this step, or lower the learning rate ({lr:.4g}); "
           "the last good checkpoint is kept")


def check_weights(model: torch.nn.Module, step: int) -> None:
    """Raise `DivergedError` (E-DIVERGED) for a weight or BatchNorm statistic that is not finite.

    A step may end with a finite loss and an infinite gradient; saved, it could not be undone.
    """
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            raise DivergedError.of(
                "E-DIVERGED", f"a weight is no longer finite after step {step}", found=name,
                expected="finite numbers", do="run the same command again to go on from the "
                "last good checkpoint; if it happens again, lower the learning rate")
