"""Checks of lesson D: the plan of the copies, taps at work, the price of a copy, the cascade."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from deeplab.course.exercise import exercise, judged
from deeplab.model.atrous import taps_inside
from deeplab.model.backbone import EXPANSION, Bottleneck
from deeplab.model.cascade import cascade_plan, copied_block

Plan = list[tuple[int, int]]
CONV4, CONV5 = 32, 64  # channels that the small block 4 of exercise D.4 reads and gives


@exercise("D.1", "From output stride 8 to 256 by one rule.")
def check_cascade_plan(attempt: Callable[[int, int], Plan]) -> Iterator[str | None]:
    """Compare `attempt(output_stride, blocks)` with `cascade_plan`."""
    for output_stride, blocks in ((16, 3), (32, 2), (8, 3), (256, 3), (64, 3), (128, 3), (16, 1)):
        got, wanted = attempt(output_stride, blocks), cascade_plan(output_stride, blocks)
        case = f"Output stride {output_stride}, {blocks} copies: "
        if not isinstance(got, Sequence) or any(
                not isinstance(pair, Sequence) or len(pair) != 2 for pair in got):
            yield f"Expected a list of pairs (stride, rate); got {got!r}."
        got = [tuple(pair) for pair in got]
        if len(got) != blocks:
            yield f"{case}one pair for each copy, {blocks} in all; got {len(got)}."
        yield _plan_mistake(got, wanted, output_stride, case)


def _plan_mistake(got: Plan, wanted: Plan, output_stride: int, case: str) -> str | None:
    """What is wrong with a plan of the right length."""
    if got == wanted:
        return None
    reached = min(output_stride, 32)
    for stride, _ in got:
        reached *= stride
    if reached != output_stride:
        return (f"{case}your strides lead to {reached} pixels per cell. Block 4 ends at "
                f"{min(output_stride, 32)}; a copy keeps its stride of 2 as long as that does "
                "not lead beyond the output stride.")
    rates, asked = [rate for _, rate in got], [rate for _, rate in wanted]
    if asked[0] > 1 and rates[0] == asked[0] // 2:
        return (f"{case}the rates begin too low. Block 5 would have had a stride of its own; that "
                "it is given up doubles the rate that block 4 has.")
    if len(set(rates)) == 1 and len(set(asked)) > 1:
        return f"{case}each stride given up doubles the rate once more; yours stay at {rates[0]}."
    steps = {after - before for before, after in zip(rates, rates[1:], strict=False)}
    if len(rates) > 2 and len(steps) == 1 and rates != asked:
        return f"{case}your rates grow by the same step; they double."
    return (f"{case}count the strides given up so far, those of conv4 and conv5 included. Each "
            "doubles the rate of what follows.")


@exercise("D.2", "The wider the rate, the fewer weights have anything to read.")
def check_taps_used(attempt: Callable[[int, int], float]) -> Iterator[str | None]:
    """Compare `attempt(side, rate)` with `taps_inside`, averaged over the map."""
    for side, rate in ((33, 2), (33, 16), (33, 32), (33, 64), (9, 4), (5, 5)):
        got = attempt(side, rate)
        if not isinstance(got, (int, float)):
            yield f"Expected one number; got {got!r}."
        taps = taps_inside(side, side, rate=rate).double()
        share, along = float(taps.mean()) / 9, (side + 2 * (side - rate)) / (3 * side)
        axis = (side + 2 * max(0, side - rate)) / (3 * side)
        yield judged(got, share, (
            (9 * share, "that is the mean number of taps; divide by the nine there are."),
            (100 * share, "a share, not per cent: between 0 and 1."),
            (float((taps == 9).double().mean()), "that is the share of positions with all nine; "
             "a position with four of its taps inside counts as four ninths."),
            (axis, "that is the share along one axis; the kernel has two."),
            (along ** 2, "a rate beyond the side leaves no place for an outer tap: 0, not fewer."),
            ((side + 2 * max(0, side - 2 * rate)) ** 2 / (9 * side ** 2),
             "an outer tap is `rate` cells from the middle one, on one side."),
            (1 - share, "that is the share of the taps that read padding.")),
            f"got {got:.4f}. Along one axis: at how many of the {side} places is the left tap "
            "inside, the middle one, the right one?", case=f"{side} x {side} cells, rate {rate}: ")


@exercise("D.3", "You know what a copy of block 4 costs, and that its rate costs nothing.")
def check_copy_parameters(attempt: Callable[[int, int, int], int]) -> Iterator[str | None]:
    """Compare `attempt(channels, narrow, units)` with the weights of a copied block."""
    for channels, narrow, units in ((2048, 512, 3), (64, 16, 3), (64, 16, 2)):
        got = attempt(channels, narrow, units)
        if not isinstance(got, (int, float)):
            yield f"Expected one number; got {got!r}."
        three = [channels * narrow, 9 * narrow * narrow, narrow * channels]
        norms = 2 * (2 * narrow + channels)
        wanted = units * (sum(three) + norms)
        yield judged(got, wanted, (
            (units * sum(three), "BatchNorm is missing: two weights for each channel that a "
             "convolution gives, after all three convolutions."),
            (sum(three) + norms, "that is one unit; a block has several."),
            (wanted - units * 8 * narrow * narrow,
             "the convolution in the middle is 3x3: nine taps."),
            (wanted - channels * narrow // 2, "the first unit of a copy reads what block 4 gives, "
             "not what block 4 reads."),
            (wanted + channels * channels + 2 * channels, "a copy that keeps its map has no "
             "convolution in its shortcut: it adds what it reads."),
            (units * (sum(three) + norms // 2), "BatchNorm has a factor and an offset for each "
             "channel."),
            (units * (sum(three) + 2 * narrow + channels + norms), "these convolutions have no "
             "bias.")),
            f"got {got:,}. A unit: 1x1 from {channels} to {narrow}, 3x3, 1x1 back, and three "
            "BatchNorms.", case=f"{channels} channels, {narrow} within, {units} units: ")


@exercise("D.4", "This is Fig. 3 (b): block 4 again and again, each copy at twice the rate.")
def check_cascade(attempt: Callable[[nn.Sequential, list[int], tuple[int, ...]], nn.Sequential]
                  ) -> Iterator[str | None]:
    """Compare `attempt(block4, rates, multi_grid)` with copies that the package makes."""
    for rates, multi_grid in (([4], (1, 1, 1)), ([4, 8, 16], (1, 1, 1)), ([4, 8], (1, 2, 4))):
        block4, x = _trained_block4(), torch.rand(2, CONV5, 19, 23)
        before = {key: value.clone() for key, value in block4.state_dict().items()}
        own_rates = [unit.conv2.dilation for unit in block4]
        got = attempt(block4, list(rates), multi_grid)
        case = f"Rates {rates}, Multi-Grid {multi_grid}: "
        if not isinstance(got, nn.Module):
            yield f"Expected an nn.Sequential of copies; got {type(got).__name__}."
        if [unit.conv2.dilation for unit in block4] != own_rates:
            yield (f"{case}block 4 itself has other rates now. Copy a unit (copy.deepcopy) before "
                   "you change it.")
        yield _shared(got, block4, case) or _rates_mistake(got, rates, multi_grid, case)
        yield _output_mistake(got.eval()(x), _reference(block4, rates, multi_grid)(x), x, case)
        if any(not torch.equal(value, block4.state_dict()[key]) for key, value in before.items()):
            yield f"{case}the weights of block 4 have changed."


def _trained_block4() -> nn.Sequential:
    """A small block 4 at output stride 16, with statistics as training leaves them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        block4 = nn.Sequential(*(Bottleneck(c_in, CONV5 // EXPANSION, rate=2)
                                 for c_in in (CONV4, CONV5, CONV5)))
        for module in block4.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.2, 0.6)
                nn.init.normal_(module.bias, std=0.2)
                nn.init.normal_(module.running_mean, std=0.2)
    return block4.eval()


def _reference(block4: nn.Sequential, rates: Sequence[int], multi_grid: tuple[int, ...]
               ) -> nn.Sequential:
    return nn.Sequential(*(copied_block(block4, stride=1, rate=rate, multi_grid=multi_grid)
                           for rate in rates)).eval()


def _shared(got: nn.Module, block4: nn.Module, case: str) -> str | None:
    """Whether copies share weights with block 4, or with each other."""
    theirs = {weight.data_ptr() for weight in block4.parameters()}
    if any(weight.data_ptr() in theirs for weight in got.parameters()):
        return (f"{case}the cascade and block 4 share weights: training one would move the other. "
                "A copy has weights of its own (copy.deepcopy).")
    return None


def _rates_mistake(got: nn.Module, rates: Sequence[int], multi_grid: tuple[int, ...], case: str
                   ) -> str | None:
    """What is wrong with number, rates and padding of the 3x3 kernels."""
    first = next((module for module in got.modules() if isinstance(module, nn.Conv2d)), None)
    if first is not None and first.in_channels == CONV4:
        return (f"{case}the copy begins with block 4's first unit, which reads the {CONV4} "
                f"channels of conv4. A copy reads block 4's own output, {CONV5} channels: begin "
                "with the second unit.")
    kernels = [module for module in got.modules()
               if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3)]
    wanted = [rate * factor for rate in rates for factor in multi_grid]
    found = [kernel.dilation[0] for kernel in kernels]
    if len(found) != len(wanted):
        if len(rates) > 1 and len(found) == len(multi_grid):
            return (f"{case}all copies are one and the same, or there is only one. Each rate "
                    "has a copy of its own.")
        return (f"{case}{len(rates)} copies of {len(multi_grid)} units have {len(wanted)} 3x3 "
                f"kernels; yours have {len(found)}.")
    if any(kernel.padding != kernel.dilation for kernel in kernels):
        return f"{case}the padding has to grow with the rate (`padding`), or the map shrinks."
    if found == wanted:
        return None
    if found == [2] * len(wanted):
        return f"{case}the copies have block 4's own rate 2. Set `dilation` of each 3x3 kernel."
    if found == [rate for rate in rates for _ in multi_grid]:
        return f"{case}Multi-Grid is left out: the units' rates are rate times factor."
    if found == [2 * rate for rate in wanted]:
        return f"{case}`rates` are already those of the copies; do not multiply by block 4's 2."
    return f"{case}the 3x3 kernels should have rates {wanted}, in order; yours are {found}."


def _output_mistake(got: Tensor, wanted: Tensor, x: Tensor, case: str) -> str | None:
    """What is wrong with the map that comes out."""
    if got.shape != x.shape:
        return (f"{case}a map {tuple(x.shape)} gives {tuple(got.shape)}; it should keep its shape. "
                "Has the padding grown with the rate?")
    if torch.allclose(got, wanted, rtol=1e-4, atol=1e-5):
        return None
    return (f"{case}kernels and rates are right, the values are not. The copies begin with the "
            "weights of block 4, BatchNorm's statistics included; their units are block 4's "
            "second, second and third; and copy follows copy.")
