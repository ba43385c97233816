"""From feature resolution to the image's own, in one bilinear step, and to a prediction.

The order matters: logits are upsampled first and compared afterwards, so that a boundary
runs between feature cells and not along them (Sec. 4.1: upsampled by 8 to full resolution).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

SMALL = 2 ** 20  # values of (K, H, W) below which saving memory is not worth a loop


def upsampled(values: Tensor, height: int, width: int) -> Tensor:
    """(N, C, h, w) resampled in one bilinear step to (N, C, height, width)."""
    return F.interpolate(values, (height, width), mode="bilinear", align_corners=False)


def upsampled_mean(outputs: Sequence[Tensor], height: int, width: int) -> Tensor:
    """Mean of several outputs (N, K, *, *), each first upsampled to (N, K, height, width)."""
    total = upsampled(outputs[0], height, width)
    for output in outputs[1:]:
        total += upsampled(output, height, width)
    return total.div_(len(outputs))


def upsampled_argmax(outputs: Tensor | Sequence[Tensor], height: int, width: int) -> Tensor:
    """The prediction int64 (N, height, width): argmax of `upsampled_mean`, in little memory.

    Upsampled logits of 150 classes fill 2.6 GB for a photograph of 2400 x 1800 pixels. Here
    one class after the other is upsampled and compared with the best so far, so that memory
    does not grow with K. Bit-identical to the plain way for contiguous, finite logits of more
    than one cell; of equal classes the first wins.
    """
    outputs = [outputs] if isinstance(outputs, Tensor) else outputs
    num_images, num_classes = outputs[0].shape[:2]
    if num_classes < 4 or num_classes * height * width <= SMALL:
        return upsampled_mean(outputs, height, width).argmax(1)
    best = outputs[0].new_full((num_images, height, width), -torch.inf)
    winner = torch.zeros_like(best, dtype=torch.float32)  # floats compare fastest by far
    challenger = torch.empty_like(winner)
    for index in range(num_classes):
        plane = upsampled_mean([output[:, index:index + 1] for output in outputs],
                               height, width)[:, 0]
        # `index` where this class is better, else 0: the highest index so far has won
        torch.gt(plane, best, out=challenger).mul_(index)
        torch.maximum(winner, challenger, out=winner)
        torch.maximum(best, plane, out=best)
    return winner.long()
