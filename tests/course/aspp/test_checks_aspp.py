"""The checks of lesson 5 pass the right answer and name each usual mistake."""

import pytest
import torch
from torch import nn

from deeplab.course.aspp import checks
from deeplab.model.aspp import ASPP


def test_the_share_in_closed_form_is_correct():
    assert "Exercise 5.1: correct." in checks.check_share_with_all_nine(
        lambda side, rate: max(0, side - 2 * rate) ** 2 / side ** 2)


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda side, rate: (side - 2 * rate) ** 2 / side ** 2, "No position is left here"),
    (lambda side, rate: max(0, side - 2 * rate) / side, "along one axis"),
    (lambda side, rate: (side - rate) ** 2 / side ** 2, "on either side"),
    (lambda side, rate: max(0, side - 2 * rate) ** 2, "divide by all"),
    (lambda side, rate: 0.5, "From which cell to which"),
    (lambda side, rate: 100 * max(0, side - 2 * rate) ** 2 / side ** 2, "That is per cent"),
    (lambda side, rate: [side, rate], "one number"),
])
def test_a_wrong_share_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_share_with_all_nine(mistake)
    assert "not yet" in verdict and message in verdict


def branches(aspp, x):
    image = aspp.image_pooling(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])
    return [aspp.point(x), *(branch(x) for branch in aspp.atrous), image]


def in_order(*order):
    return lambda aspp, x: aspp.project(torch.cat([branches(aspp, x)[index] for index in order], 1))


def in_cascade(aspp, x):
    """Each branch reads what the one before it gave."""
    chain = [aspp.point(x)]
    for branch in aspp.atrous:
        chain.append(branch(chain[-1]))
    return aspp.project(torch.cat([*chain, aspp.image_features(x)], 1))


def test_the_five_branches_in_order_are_correct():
    assert "correct" in checks.check_fused(in_order(0, 1, 2, 3, 4))


@pytest.mark.parametrize(("mistake", "message"), [
    (in_order(4, 0, 1, 2, 3), "comes first"),
    (in_order(0, 3, 2, 1, 4), "falling order"),
    (in_cascade, "each branch reads x"),
    (lambda aspp, x: torch.cat(branches(aspp, x), 1), "aspp.project"),
    (lambda aspp, x: aspp.point(x)[:, :1], "Expected a map"),
    (lambda aspp, x: branches(aspp, x), "Expected a map"),
    (lambda aspp, x: aspp(x), "Build its map from the branches"),
    (lambda aspp, x: aspp.project(x), "raised ValueError: aspp.project reads 40 channels"),
    (in_order(0, 1, 2, 3), "five branches of 8 each, and was given 32"),
])
def test_a_wrong_projection_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_fused(mistake)
    assert "not yet" in verdict and message in verdict


def parameters(c_in, c_out, rates, project_kernel, *, norm=2, bias=0, fused=None, points=2):
    count = len(rates) + 2
    fused = count if fused is None else fused
    total = points * c_in * c_out + len(rates) * 9 * c_in * c_out
    total += project_kernel ** 2 * fused * c_out * c_out
    return total + (norm + bias) * c_out * (count + 1 - (2 - points))


def test_parameters_counted_by_hand_are_correct():
    assert "correct" in checks.check_aspp_parameters(parameters)
    assert parameters(2048, 512, (6, 12, 18), 3) == 42_211_328


@pytest.mark.parametrize(("options", "message"), [
    ({"norm": 0}, "BatchNorm is missing"),
    ({"bias": 1}, "no bias"),
    ({"fused": 1}, "reads all 3 branches"),
    ({"points": 1}, "one 1x1 branch"),
    ({"points": 0}, "expected"),
])
def test_wrong_parameters_are_told_what_is_wrong(options, message):
    verdict = checks.check_aspp_parameters(lambda *values: parameters(*values, **options))
    assert "not yet" in verdict and message in verdict


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda c_in, c_out, rates, kernel: parameters(
        c_in, c_out, rates, kernel, points=1, fused=len(rates) + 1), "also where the projection"),
    (lambda c_in, c_out, rates, kernel: parameters(c_in, c_out, rates, 1), "kernel is 3x3"),
    (lambda c_in, c_out, rates, kernel: parameters(c_in, c_out, rates, kernel)
     - 8 * len(rates) * c_in * c_out, "with a rate are 3x3"),
])
def test_what_is_left_out_of_the_parameters_is_named(mistake, message):
    verdict = checks.check_aspp_parameters(mistake)
    assert "not yet" in verdict and message in verdict


class Pyramid(nn.Module):
    """Written as a learner would, with the usual mistakes on request."""

    def __init__(self, c_in, c_out, rates, *, bias=False, kernel=3, padded=True, same_rate=False,
                 relu=True, last_relu=True, order=None, pooled=True, count=None, spread=True):
        super().__init__()
        self.order, self.pooled, self.spread = order, pooled, spread

        def unit(channels, kernel=1, rate=1, relu=relu):
            padding = rate * (kernel // 2) if padded else 0
            layers = [nn.Conv2d(channels, c_out, kernel, padding=padding, dilation=rate, bias=bias),
                      nn.BatchNorm2d(c_out)]
            return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))

        self.point = unit(c_in)
        self.atrous = nn.ModuleList(
            unit(c_in, 3, 1 if same_rate else rate) for rate in rates[:count])
        self.image_pooling = unit(c_in)
        self.project = unit((len(self.atrous) + 2) * c_out, kernel, relu=last_relu)

    def forward(self, x):
        image = self.image_pooling(x.mean((2, 3), keepdim=True) if self.pooled else x)
        if self.spread:
            image = image.expand(-1, -1, *x.shape[2:])
        maps = [self.point(x), *(branch(x) for branch in self.atrous), image]
        return self.project(torch.cat([maps[place] for place in self.order or range(len(maps))], 1))


def with_mistake(**mistake):
    return lambda c_in, c_out, rates: Pyramid(c_in, c_out, rates, **mistake)


def test_a_pyramid_of_ones_own_takes_the_trained_weights():
    state = torch.get_rng_state()
    assert checks.check_pyramid(Pyramid).startswith("Exercise 5.4: correct.")
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("mistake", "message"), [
    (with_mistake(bias=True), "point.0.bias: these convolutions have no bias"),
    (with_mistake(count=2), "The trained weights have atrous.2.0.weight"),
    (with_mistake(kernel=1), "project.0.weight has shape (64, 320, 1, 1)"),
    (with_mistake(same_rate=True), "atrous.1.0 has rate 1, expected 2"),
    (with_mistake(padded=False), "atrous.0.0 is padded by (0, 0)"),
    (with_mistake(order=(4, 0, 1, 2, 3)), "image-level branch stands first"),
    (with_mistake(order=(0, 3, 2, 1, 4)), "falling order"),
    (with_mistake(last_relu=False), "The projection ends without ReLU"),
    (with_mistake(relu=False), "The branches end without ReLU"),
    (with_mistake(pooled=False), "second 1x1 branch"),
    (with_mistake(order=(1, 0, 2, 3, 4)), "Compare branch by branch"),
    (lambda c_in, c_out, rates: Pyramid(c_in, c_out, (1, 2, 3)), "With four rates"),
    (with_mistake(spread=False), "raised RuntimeError"),
    (lambda c_in, c_out, rates: ASPP(c_in=c_in, c_out=c_out, atrous_rates=rates), "own ASPP"),
    (lambda c_in, c_out, rates: nn.Conv2d(c_in, c_out, 1), "36 keys are missing, 2 too many"),
    (lambda *given: None, "Expected a torch.nn.Module"),
])
def test_a_wrong_pyramid_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_pyramid(mistake)
    assert "not yet" in verdict and message in verdict
