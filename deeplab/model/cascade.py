"""Going deeper: copies of block 4 in cascade, at the rates of the output stride (Sec. 3.2).

The paper's block 4 is torchvision's `layer4`, whose map is conv5; blocks 5 to 7 repeat it. In
Fig. 3 (a) each halves the map once more, down to output stride 256; in Fig. 3 (b) strides are
given up from `output_stride` on, and every stride given up doubles the rate of what follows.
"""

import copy

from torch import Tensor, nn

from deeplab.model.backbone import (EXPANSION, STAGE_WIDTHS, Bottleneck, ResNet, scaled_channels,
                                    stage_plan)
from deeplab.model.network import DROPOUT, Logits, check_image
from deeplab.support.errors import UsageError

MOST_BLOCKS = 3  # blocks 5, 6 and 7: Table 2


def cascade_plan(output_stride: int, blocks: int) -> list[tuple[int, int]]:
    """(stride, rate) of the `blocks` copies behind block 4, in order.

    Block 4 itself follows `stage_plan`. Raises `UsageError`: E-CASCADE for other than 0 to 3
    copies, E-STRIDE for an output stride that is no power of two from 8 to 32 * 2**blocks.

    >>> cascade_plan(16, 3)
    [(1, 4), (1, 8), (1, 16)]
    >>> cascade_plan(128, 3)
    [(2, 1), (2, 1), (1, 2)]
    """
    if not 0 <= blocks <= MOST_BLOCKS:
        raise UsageError.of("E-CASCADE", "the cascade repeats block 4 up to three times",
                            found=blocks, expected=f"0 to {MOST_BLOCKS} copies (blocks 5 to 7)")
    possible = [8 * 2 ** power for power in range(3 + blocks)]
    if output_stride not in possible:
        raise UsageError.of("E-STRIDE", f"no such output stride behind block {4 + blocks}",
                            found=output_stride, expected=", ".join(map(str, possible)),
                            do="take fewer input pixels per cell, or more blocks")
    reached = min(output_stride, 32)
    rate = stage_plan(reached)[-1][1]
    plan = []
    for _ in range(blocks):
        stride = 2 if reached * 2 <= output_stride else 1
        rate, reached = rate * 2 // stride, reached * stride
        plan.append((stride, rate))
    return plan


def copied_block(block4: nn.Sequential, *, stride: int, rate: int,
                 multi_grid: tuple[int, ...]) -> nn.Sequential:
    """A copy of block 4 that reads block 4's own output, with its weights.

    Its 3x3 kernels have `rate` times the Multi-Grid factors. Block 4's first unit reads fewer
    channels than it gives, so that the copy begins with the second; a stride adds a shortcut
    convolution of its own. (N, c, h, w) gives (N, c, ceil(h / stride), ceil(w / stride)).
    """
    units = []
    for index, factor in enumerate(multi_grid):
        source = block4[max(1, index)]
        c_in, planes = source.conv1.in_channels, source.conv1.out_channels
        unit = Bottleneck(c_in, planes, stride=stride if index == 0 else 1, rate=rate * factor)
        weights = copy.deepcopy(source.state_dict())
        unit.load_state_dict(unit.state_dict() | weights)
        units.append(unit)
    return nn.Sequential(*units)


class CascadedNetwork(nn.Module):
    """ResNet, `blocks` copies of its block 4, and a 1x1 classifier (Sec. 3.2, Fig. 3).

    `depth` 50 or 101; `output_stride` 8 to 32 * 2**blocks input pixels per cell; `multi_grid`
    holds the factors of the three units of block 4 and of every copy; `stem` and `width` as of
    `ResNet`. The paper has no auxiliary head, nor has this. Call `copy_block4` once the
    backbone has its pretrained weights.
    Raises `UsageError` (E-CASCADE, E-STRIDE, E-GRID, E-DEPTH, E-STEM).
    """

    def __init__(self, *, num_classes: int, depth: int, output_stride: int, blocks: int = 3,
                 multi_grid: tuple[int, ...] = (1, 1, 1), stem: str = "v1c", width: float = 1,
                 zero_init_residual: bool = False):
        super().__init__()
        self.plan, self.multi_grid = cascade_plan(output_stride, blocks), multi_grid
        self.backbone = ResNet(depth=depth, output_stride=min(output_stride, 32), stem=stem,
                               multi_grid=multi_grid, width=width,
                               zero_init_residual=zero_init_residual)
        self.cascade = nn.Sequential()
        self.copy_block4()
        c_conv5 = EXPANSION * scaled_channels(STAGE_WIDTHS[-1], width)
        self.classifier = nn.Sequential(nn.Dropout2d(DROPOUT), nn.Conv2d(c_conv5, num_classes, 1))

    def copy_block4(self) -> None:
        """Make blocks 5 to 7 anew as copies of block 4 with the weights it has now."""
        self.cascade = nn.Sequential(*(
            copied_block(self.backbone.layer4, stride=stride, rate=rate,
                         multi_grid=self.multi_grid) for stride, rate in self.plan))

    def forward(self, image: Tensor) -> Logits:
        """Logits, main (N, K, ceil(H / os), ...), of a normalised image; raises E-INPUT."""
        check_image(image)
        stages = self.backbone(image)
        return Logits(self.classifier(self.cascade(stages.conv5)), None)
