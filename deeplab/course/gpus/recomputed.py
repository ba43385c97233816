"""Activation checkpointing on a CPU: what a step keeps, how long it takes, what it gives."""

import copy
from dataclasses import dataclass

from torch import Tensor, nn

from deeplab.course.gpus.timing import median_seconds
from deeplab.course.gpus.two_processes import gradient
from deeplab.planning.memory import LiveBytes
from deeplab.runs.recompute import recompute_blocks
from deeplab.training.recipe import segmentation_loss

MIB = 2**20


@dataclass(frozen=True)
class Step:
    """A training step: MiB that wait for its backward pass, its seconds, its gradient (P,)."""

    kept: float
    seconds: float
    gradient: Tensor


def measured(model: nn.Module, image: Tensor, label: Tensor, *, recompute: bool,
             repeats: int = 3) -> Step:
    """A step of a copy of `model` on image (N, 3, H, W), label (N, H, W), without dropout.

    With `recompute` each residual block keeps its input only and is computed once more in the
    backward pass.
    """
    network = copy.deepcopy(model).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout2d):
            module.eval()
    if recompute:
        recompute_blocks(network)
    with LiveBytes(network) as live:
        total = segmentation_loss(network(image), label).total
        kept = live.bytes / MIB
        del total

    def step() -> Tensor:
        network.zero_grad()
        return gradient(network, image, label)

    return Step(kept, median_seconds(step, repeats=repeats), step())
