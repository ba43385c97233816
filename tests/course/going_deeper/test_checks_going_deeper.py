"""The checks of lesson D pass the right answer and name each usual mistake."""

import copy

import pytest
from torch import nn

from deeplab.course.going_deeper import checks
from deeplab.model.backbone import Bottleneck
from deeplab.model.cascade import cascade_plan


def plan(output_stride, blocks, *, first=2, grow=2, most=None):
    """By hand: `first` times block 4's rate, then times `grow` for each stride given up."""
    reached = min(output_stride, most or 32)
    rate, result = 32 // min(output_stride, 32), []
    for index in range(blocks):
        if reached * 2 <= output_stride:
            reached, stride = 2 * reached, 2
        else:
            stride, rate = 1, rate * (first if index == 0 else grow)
        result.append((stride, rate))
    return result


def raising(*_):
    return [][1]


def test_the_plan_by_hand_is_correct():
    assert checks.check_cascade_plan(plan).startswith("Exercise D.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda stride, blocks: plan(stride, blocks, first=1), "begin too low"),
    (lambda stride, blocks: plan(stride, blocks, grow=1), "doubles the rate once more"),
    (lambda stride, blocks: [(1, 4), (1, 6), (1, 8)][:blocks], "grow by the same step"),
    (lambda stride, blocks: [(2, 1)] * blocks, "lead to 128 pixels per cell"),
    (lambda stride, blocks: plan(16, blocks), "count the strides given up so far"),
    (lambda stride, blocks: plan(stride, 4)[:4], "one pair for each copy"),
    (lambda stride, blocks: plan(stride, blocks) if stride < 64 else [(1, 2), (1, 4), (1, 8)],
     "lead to 32 pixels per cell"),
    (lambda stride, blocks: [4, 8, 16], "list of pairs"),
    (lambda stride, blocks: 4, "list of pairs"),
    (raising, "raised IndexError"),
])
def test_a_wrong_plan_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_cascade_plan(mistake)
    assert "not yet" in verdict and message in verdict


def used(side, rate):
    return ((side + 2 * max(0, side - rate)) / (3 * side)) ** 2


def test_the_taps_in_closed_form_are_correct():
    assert "correct" in checks.check_taps_used(used)


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda side, rate: 9 * used(side, rate), "the mean number of taps"),
    (lambda side, rate: 100 * used(side, rate), "a share, not per cent"),
    (lambda side, rate: max(0, side - 2 * rate) ** 2 / side ** 2, "counts as four ninths"),
    (lambda side, rate: used(side, rate) ** 0.5, "along one axis"),
    (lambda side, rate: ((3 * side - 2 * rate) / (3 * side)) ** 2, "no place for an outer tap"),
    (lambda side, rate: used(side, 2 * rate), "on one side"),
    (lambda side, rate: 1 - used(side, rate), "read padding"),
    (lambda side, rate: 0.5, "at how many of the 33 places"),
    (lambda side, rate: "half", "one number"),
    (lambda side, rate: side / 0, "raised ZeroDivisionError"),
])
def test_wrong_taps_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_taps_used(mistake)
    assert "not yet" in verdict and message in verdict


def parameters(channels, narrow, units, *, norms=2, bias=0, taps=9, first=None, shortcut=0):
    unit = (2 * channels * narrow + taps * narrow ** 2
            + (norms + bias) * (2 * narrow + channels))
    total = units * unit + shortcut * (channels ** 2 + 2 * channels)
    return total - (channels * narrow // 2 if first == "half" else 0)


def test_parameters_counted_by_hand_are_correct():
    assert "correct" in checks.check_copy_parameters(parameters)
    block4 = checks._trained_block4()
    copied = checks._reference(block4, [4], (1, 1, 1))
    assert parameters(64, 16, 3) == sum(weight.numel() for weight in copied.parameters())


@pytest.mark.parametrize(("options", "message"), [
    ({"norms": 0}, "BatchNorm is missing"), ({"norms": 1}, "a factor and an offset"),
    ({"bias": 1}, "no bias"), ({"taps": 1}, "nine taps"),
    ({"first": "half"}, "not what block 4 reads"), ({"shortcut": 1}, "adds what it reads"),
])
def test_wrong_parameters_are_told_what_is_wrong(options, message):
    verdict = checks.check_copy_parameters(lambda *values: parameters(*values, **options))
    assert "not yet" in verdict and message in verdict


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda channels, narrow, units: parameters(channels, narrow, 1), "one unit"),
    (lambda channels, narrow, units: 5, "1x1 from 2048 to 512"),
    (lambda channels, narrow, units: [channels], "one number"), (raising, "raised IndexError"),
])
def test_another_count_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_copy_parameters(mistake)
    assert "not yet" in verdict and message in verdict


def cascade(block4, rates, multi_grid, *, copied=copy.deepcopy, padded=True, grid=True, begin=1,
            double=1):
    blocks = []
    for rate in rates:
        units = []
        for index, factor in enumerate(multi_grid):
            unit = copied(block4[max(begin, index)])
            rate_here = rate * double * (factor if grid else 1)
            unit.conv2.dilation = (rate_here, rate_here)
            if padded:
                unit.conv2.padding = (rate_here, rate_here)
            units.append(unit)
        blocks.append(nn.Sequential(*units))
    return nn.Sequential(*blocks)


def fresh(unit):
    return Bottleneck(unit.conv3.out_channels, unit.conv1.out_channels)


def without_statistics(unit):
    made = copy.deepcopy(unit)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    return made


def same_for_all(block4, rates, multi_grid):
    block = cascade(block4, rates[-1:], multi_grid)[0]
    return nn.Sequential(*[block] * len(rates))


def unchanged(block4, rates, multi_grid):
    return nn.Sequential(*(copy.deepcopy(block4[max(1, index)]) for _ in rates
                           for index in range(3)))


def test_copies_of_block_4_are_correct():
    assert checks.check_cascade(cascade).startswith("Exercise D.4: correct.")


def with_options(**options):
    return lambda *given: cascade(*given, **options)


@pytest.mark.parametrize(("mistake", "message"), [
    (with_options(copied=lambda unit: unit), "block 4 itself has other rates"),
    (with_options(copied=copy.copy), "block 4 itself has other rates"),
    (with_options(padded=False), "padding has to grow"),
    (with_options(grid=False), "Multi-Grid is left out"),
    (with_options(double=2), "already those of the copies"),
    (with_options(copied=fresh), "the values are not"),
    (with_options(copied=without_statistics), "the values are not"),
    (with_options(begin=0), "begin with the second unit"),
    (lambda block4, rates, grid: cascade(block4, rates[::-1], grid), "are [16, 16, 16, 8, 8"),
    (same_for_all, "one and the same"),
    (unchanged, "block 4's own rate 2"),
    (lambda block4, rates, grid: nn.Sequential(*[block4[1]] * 2, block4[2]), "share weights"),
    (lambda block4, rates, grid: cascade(block4, rates, grid)[0][:2], "have 3 3x3 kernels"),
    (lambda block4, rates, grid: [*cascade(block4, rates, grid)], "nn.Sequential of copies"),
    (lambda block4, rates, grid: nn.Sequential(cascade(block4, rates, grid), nn.ReLU(),
                                               nn.AvgPool2d(2)), "keep its shape"),
    (raising, "raised IndexError"),
])
def test_a_wrong_cascade_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_cascade(mistake)
    assert "not yet" in verdict and message in verdict


def test_the_plans_here_are_the_packages():
    assert all(plan(stride, 3) == cascade_plan(stride, 3) for stride in (8, 16, 32, 64, 128, 256))
