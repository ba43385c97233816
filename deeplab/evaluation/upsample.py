"""From feature resolution to the image's own, in one bilinear step, and to a prediction.

The order matters: logits are upsampled first and compared afterwards, so that a boundary
runs between feature cells and not along them (Sec. 4.1: upsampled by 8 to full resolution).
"""

import functools
import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

# Logits that are upsampled at a time: on a CPU what a cache holds, on a GPU more, since there
# each step costs a launch
ON_CPU, ON_GPU = 2 ** 19, 2 ** 26
KEPT = 64  # matrices of bilinear weights, of half a megabyte each where a side has 1024 pixels

Window = tuple[slice, slice]  # rows, columns


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
    """The prediction int64 (N, height, width): argmax of `upsampled_mean`, in little memory."""
    outputs = [outputs] if isinstance(outputs, Tensor) else outputs
    prediction = outputs[0].new_empty((len(outputs[0]), height, width), dtype=torch.int64)
    for (rows, columns), tile in predicted_tiles(outputs, height, width):
        prediction[:, rows, columns] = tile
    return prediction


def predicted_tiles(outputs: Sequence[Tensor], height: int,
                    width: int) -> Iterator[tuple[Window, Tensor]]:
    """The argmax of `upsampled_mean`, window by window: int64 (N, rows, columns).

    Upsampled logits of 150 classes fill 2.6 GB for a photograph of 2400 x 1800 pixels; here
    one window of them exists at a time, whatever the size of the image. Sums are rounded in
    another order than by `F.interpolate`: where two classes differ by less than that either
    may win. Of equal classes the first wins.
    """
    cells = [output.float().permute(0, 2, 3, 1).contiguous() for output in outputs]
    side = max(1, math.isqrt(at_a_time(cells[0]) // cells[0][:, 0, 0].numel()))
    for top in range(0, height, side):
        for left in range(0, width, side):
            window = (slice(top, min(top + side, height)), slice(left, min(left + side, width)))
            total = _upsampled_window(cells[0], height, width, window)
            for other in cells[1:]:
                total += _upsampled_window(other, height, width, window)
            yield window, _argmax(total)


def at_a_time(logits: Tensor) -> int:
    """How many upsampled logits to hold at a time where `logits` lie."""
    return ON_CPU if logits.device.type == "cpu" else ON_GPU


def bilinear_weights(cells: int, pixels: int, part: slice = slice(None),
                     device: torch.device | str = "cpu") -> tuple[slice, Tensor]:
    """How the pixels `part` of an axis, scaled from `cells` to `pixels`, mix the cells around.

    Returns the slice of cells concerned and float32 weights (pixels, cells): one minus the
    distance of the centres, measured in cells, where that is positive. The weights are kept for
    the next call, on `device`, and must not be changed.

    >>> bilinear_weights(2, 4)[1].tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    return _kept_weights(cells, pixels, *part.indices(pixels)[:2], torch.device(device))


@functools.lru_cache(maxsize=KEPT)
def _kept_weights(cells: int, pixels: int, start: int, stop: int,
                  device: torch.device) -> tuple[slice, Tensor]:
    place = (torch.arange(start, stop, dtype=torch.float64) + 0.5) * (cells / pixels) - 0.5
    place.clamp_(0, cells - 1)  # beyond the outermost centres nothing changes
    first, last = int(place[0]), min(int(place[-1]) + 1, cells - 1)
    weights = 1 - (place[:, None] - torch.arange(first, last + 1)).abs_()
    return slice(first, last + 1), weights.clamp_min_(0).float().to(device)


def _upsampled_window(cells: Tensor, height: int, width: int, window: Window) -> Tensor:
    """A window of (N, h, w, K), classes last, upsampled to (N, height, width, K)."""
    (rows, down), (columns, across) = (
        bilinear_weights(length, pixels, part, cells.device) for length, pixels, part in
        zip(cells.shape[1:3], (height, width), window, strict=True))
    wide = torch.matmul(across, cells[:, rows, columns])
    return torch.matmul(down, wide.flatten(2)).unflatten(2, wide.shape[2:])


def _argmax(values: Tensor) -> Tensor:
    """The argmax over the last axis; NumPy's is by far the faster one on a CPU."""
    if values.device.type == "cpu":
        return torch.from_numpy(values.numpy().argmax(-1))
    return values.argmax(-1)
