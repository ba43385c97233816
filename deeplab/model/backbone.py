"""ResNet whose last stages trade stride for atrous rate (Sec. 3.2, Fig. 3).

Names of modules are torchvision's, so that ImageNet weights load as they are. Depths,
strides and rates follow SSSegmentation's `ssseg/modules/models/backbones/resnet.py`.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from deeplab.model.atrous import conv_bn_relu
from deeplab.support.errors import UsageError

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}  # blocks per stage: He et al. 2016, Table 1
STAGE_WIDTHS = (64, 128, 256, 512)  # channels of a block's 3x3 kernel, same table
EXPANSION = 4  # a block's output has this many times as many channels, same table
CHANNEL_MULTIPLE = 8  # slim networks keep channels a multiple of this, which hardware likes


class Stages(NamedTuple):
    """The maps after each stage, by the paper's names; conv5 is what the head reads."""

    conv2: Tensor  # (N, 256, H/4, W/4)
    conv3: Tensor  # (N, 512, H/8, W/8)
    conv4: Tensor  # (N, 1024, H/min(16, output_stride), ...): the auxiliary head reads it
    conv5: Tensor  # (N, 2048, H/output_stride, W/output_stride)


def stage_plan(output_stride: int) -> list[tuple[int, int]]:
    """(stride, rate) of the stages conv2 to conv5 (Sec. 3.2).

    Each stride of 2 that is given up to stop at `output_stride` doubles the rate of the
    later 3x3 kernels, so that a kernel keeps the field of view, in input pixels, for which
    it was pretrained. Raises `UsageError` (E-STRIDE) for a stride other than 8, 16, 32.

    >>> stage_plan(16)
    [(1, 1), (2, 1), (2, 1), (1, 2)]
    """
    if output_stride not in (8, 16, 32):
        raise UsageError.of("E-STRIDE", "no such output stride", found=output_stride,
                            expected="8, 16 or 32 (input pixels per feature cell)",
                            do="take 16, or 8 for finer maps at three to four times the work")
    reached, rate, plan = 4, 1, []  # the stem has already divided by 4
    for stride in (1, 2, 2, 2):
        if reached * stride > output_stride:
            stride, rate = 1, rate * stride
        reached *= stride
        plan.append((stride, rate))
    return plan


def block_rates(*, depth: int, output_stride: int,
                multi_grid: tuple[int, ...] | None = None) -> list[list[int]]:
    """The rate of every 3x3 kernel, per stage.

    The first block of a stage still uses the rate of the stage before, as upstream and
    torchvision do. With `multi_grid` the last stage follows the paper instead: its rate
    times the three factors (Sec. 3.2.1). Raises `UsageError` (E-GRID, E-DEPTH, E-STRIDE).

    >>> block_rates(depth=50, output_stride=16, multi_grid=(1, 2, 4))[-1]
    [2, 4, 8]
    >>> block_rates(depth=50, output_stride=16)[-1]
    [1, 2, 2]
    """
    if depth not in DEPTHS:
        raise UsageError.of("E-DEPTH", "no such ResNet", found=depth,
                            expected=" or ".join(map(str, DEPTHS)))
    rates, before = [], 1
    for blocks, (_, rate) in zip(DEPTHS[depth], stage_plan(output_stride), strict=True):
        rates.append([before] + [rate] * (blocks - 1))
        before = rate
    if multi_grid is not None:
        if len(multi_grid) != len(rates[-1]) or min(multi_grid) < 1:
            raise UsageError.of("E-GRID", "Multi-Grid gives one factor per block of conv5",
                                found=multi_grid,
                                expected="three factors of 1 or more, such as (1, 2, 4)")
        rates[-1] = [before * factor for factor in multi_grid]
    return rates


def scaled_channels(channels: int, width: float) -> int:
    """`channels` times `width`, rounded to a multiple of 8 and never less than 8."""
    return max(1, round(channels * width / CHANNEL_MULTIPLE)) * CHANNEL_MULTIPLE


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions beside a shortcut (He et al. 2016, Fig. 5).

    Stride and rate both sit on the 3x3 kernel. (N, c_in, h, w) gives
    (N, 4 * planes, ceil(h / stride), ceil(w / stride)).
    """

    def __init__(self, c_in: int, planes: int, *, stride: int = 1, rate: int = 1):
        super().__init__()
        c_out = EXPANSION * planes
        self.conv1 = nn.Conv2d(c_in, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=rate, dilation=rate,
                               bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, c_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(c_out)
        self.downsample = None
        if stride != 1 or c_in != c_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride=stride, bias=False), nn.BatchNorm2d(c_out))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output; see the class for shapes."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        return F.relu(self.bn3(self.conv3(x)) + shortcut, inplace=True)


class ResNet(nn.Module):
    """ResNet-50 or -101 that stops at `output_stride`; image (N, 3, H, W) gives `Stages`.

    `stem` is "v1c", three 3x3 convolutions (the published table's), or "7x7", one 7x7
    convolution (torchvision's). `width` scales all channels. `zero_init_residual` starts
    every block as the identity, which steadies training from random weights; the recipe,
    which starts from ImageNet weights, has no use for it.
    Raises `UsageError` (E-DEPTH, E-STRIDE, E-STEM, E-GRID).
    """

    def __init__(self, *, depth: int = 50, output_stride: int = 16, stem: str = "v1c",
                 multi_grid: tuple[int, ...] | None = None, width: float = 1,
                 zero_init_residual: bool = False):
        super().__init__()
        rates = block_rates(depth=depth, output_stride=output_stride, multi_grid=multi_grid)
        c_in = self._add_stem(stem, width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        for index, (stride, _) in enumerate(stage_plan(output_stride)):
            planes = scaled_channels(STAGE_WIDTHS[index], width)
            first = Bottleneck(c_in, planes, stride=stride, rate=rates[index][0])
            c_in = EXPANSION * planes
            later = [Bottleneck(c_in, planes, rate=rate) for rate in rates[index][1:]]
            self.add_module(f"layer{index + 1}", nn.Sequential(first, *later))
        self._initialise(zero_init_residual)

    def _add_stem(self, stem: str, width: float) -> int:
        """Add the convolutions up to the max pooling; returns their output channels."""
        half, full = scaled_channels(32, width), scaled_channels(64, width)
        if stem == "v1c":
            self.stem = nn.Sequential(*conv_bn_relu(3, half, kernel_size=3, stride=2),
                                      *conv_bn_relu(half, half, kernel_size=3),
                                      *conv_bn_relu(half, full, kernel_size=3))
        elif stem == "7x7":
            self.conv1 = nn.Conv2d(3, full, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(full)
        else:
            raise UsageError.of("E-STEM", "no such stem", found=repr(stem),
                                expected="'v1c' or '7x7'")
        return full

    def _initialise(self, zero_init_residual: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Bottleneck) and zero_init_residual:
                nn.init.zeros_(module.bn3.weight)

    def forward(self, image: Tensor) -> Stages:
        """All four stages' maps; see `Stages` for shapes."""
        if hasattr(self, "stem"):
            x = self.stem(image)
        else:
            x = F.relu(self.bn1(self.conv1(image)), inplace=True)
        conv2 = self.layer1(self.maxpool(x))
        conv3 = self.layer2(conv2)
        conv4 = self.layer3(conv3)
        return Stages(conv2, conv3, conv4, self.layer4(conv4))
