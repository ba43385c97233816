"""Atrous convolution: a kernel whose taps stand `rate` cells apart (Sec. 3.1, Eq. (1), Fig. 1).

A rate of 1 is the ordinary convolution. A higher rate widens what a kernel sees without
a single further weight, and without lowering the resolution of the map.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab.support.errors import UsageError


def field_of_view(kernel_size: int, rate: int) -> int:
    """Cells from the first to the last tap of one kernel: k + (k - 1)(rate - 1) (Sec. 3.1).

    >>> field_of_view(3, 1), field_of_view(3, 6)
    (3, 13)
    """
    check_rate(rate)
    return kernel_size + (kernel_size - 1) * (rate - 1)


def atrous_conv1d(x: Tensor, w: Tensor, rate: int) -> Tensor:
    """y[i] = sum over k of x[i + rate * k] w[k] (Eq. (1)), wherever all taps fall inside.

    `x` (length,) and `w` (k,) give (length - field_of_view + 1,); gradients flow to both.
    Raises `UsageError` for a rate below 1 (E-RATE) or a signal shorter than the kernel
    (E-INPUT).

    >>> atrous_conv1d(torch.arange(5.0), torch.tensor([1.0, 0.0, -1.0]), rate=2)
    tensor([-4.])
    """
    if x.ndim != 1 or w.ndim != 1:
        raise UsageError.of("E-INPUT", "atrous_conv1d works on one-dimensional tensors",
                            found=f"x {tuple(x.shape)}, w {tuple(w.shape)}",
                            expected="x (length,), w (k,)")
    span = field_of_view(len(w), rate)
    count = len(x) - span + 1
    if count < 1:
        raise UsageError.of("E-INPUT", "the kernel is wider than the signal",
                            found=f"{len(x)} samples", expected=f"at least {span}",
                            do="lower the rate or take a longer signal")
    shifted = torch.stack([x[rate * k: rate * k + count] for k in range(len(w))])  # (k, count)
    return w @ shifted


def conv_bn_relu(c_in: int, c_out: int, *, kernel_size: int, stride: int = 1,
                 rate: int = 1) -> nn.Sequential:
    """Convolution without bias, BatchNorm, ReLU: the unit every head and the stem are made of.

    (N, c_in, h, w) gives (N, c_out, ceil(h / stride), ceil(w / stride)): the padding grows
    with the rate, so that at stride 1 the map keeps its size at every rate.
    """
    check_rate(rate)
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel_size, stride=stride, padding=rate * (kernel_size // 2),
                  dilation=rate, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True))


def taps_inside(height: int, width: int, *, rate: int, kernel_size: int = 3) -> Tensor:
    """How many taps of a kernel fall inside the map, per position: int64 (height, width).

    With a rate near the size of the map only the centre tap is left and the 3x3 kernel
    has become a 1x1 one (Sec. 3.3, Fig. 4).
    """
    check_rate(rate)
    ones = torch.ones(1, 1, height, width)
    kernel = torch.ones(1, 1, kernel_size, kernel_size)
    return F.conv2d(ones, kernel, padding=rate * (kernel_size // 2), dilation=rate)[0, 0].long()


def footprint(rates: tuple[int, ...]) -> Tensor:
    """How many paths lead from each input cell to one output cell of stacked 3x3 kernels.

    One layer per rate; int64 (side, side) with side = 1 + 2 * sum(rates), the output cell in
    the middle. A zero is a cell that is never looked at: equal rates above 1 leave a grid
    of them, which is what Multi-Grid's unequal rates fill (Sec. 3.2).
    """
    side = 1 + 2 * sum(rates)
    paths = torch.zeros(1, 1, side, side, dtype=torch.float64)
    paths[..., side // 2, side // 2] = 1
    kernel = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    for rate in rates:
        check_rate(rate)
        paths = F.conv2d(paths, kernel, padding=rate, dilation=rate)
    return paths[0, 0].round().long()


def check_rate(rate: int) -> None:
    """Raise `UsageError` (E-RATE) unless `rate` is a whole number of cells, at least 1."""
    if isinstance(rate, bool) or not isinstance(rate, int) or rate < 1:
        raise UsageError.of("E-RATE", "an atrous rate is the step between taps, in cells",
                            found=repr(rate), expected="a whole number, 1 or more",
                            do="for an ordinary convolution use rate 1")
