"""The checks of lesson 5 pass the right answer and name each usual mistake."""

import pytest
import torch

from deeplab.course.aspp import checks


def test_the_share_in_closed_form_is_correct():
    assert "Exercise 5.1: correct." in checks.check_share_with_all_nine(
        lambda side, rate: max(0, side - 2 * rate) ** 2 / side ** 2)


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda side, rate: (side - 2 * rate) ** 2 / side ** 2, "No position is left here"),
    (lambda side, rate: max(0, side - 2 * rate) / side, "along one axis"),
    (lambda side, rate: (side - rate) ** 2 / side ** 2, "on either side"),
    (lambda side, rate: max(0, side - 2 * rate) ** 2, "divide by all"),
    (lambda side, rate: 0.5, "From which cell to which"),
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
    (lambda aspp, x: aspp.project(x), "raised RuntimeError"),
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
