"""The checks of lesson 4 pass the right answer and name each usual mistake."""

import itertools

import pytest

from deeplab.course.multi_grid import checks


def offsets(rates):
    taps = [(-rate, 0, rate) for rate in rates]
    return {sum(steps) for steps in itertools.product(*taps)}


def test_the_offsets_by_product_are_correct():
    assert checks.check_offsets(offsets).startswith("Exercise 4.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda rates: set(range(-sum(rates), sum(rates) + 1)), "cannot be reached"),
    (lambda rates: {-sum(rates), 0, sum(rates)}, "is missing"),
    (lambda rates: {abs(offset) for offset in offsets(rates)}, "offset -1 is missing"),
    (lambda rates: len(offsets(rates)), "a set of offsets"),
    (lambda rates: {rates[9]}, "raised IndexError"),
])
def test_wrong_offsets_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_offsets(mistake)
    assert "not yet" in verdict and message in verdict


def conv5_rates(output_stride, multi_grid):
    return [32 // output_stride * factor for factor in multi_grid]


def test_the_rates_by_hand_are_correct():
    assert "correct" in checks.check_conv5_rates(conv5_rates)


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda stride, factors: list(factors), "factors alone"),
    (lambda stride, factors: [16 // stride, *conv5_rates(stride, factors)[1:]], "no exception"),
    (lambda stride, factors: [stride // 8 * factor for factor in factors], "Multiply each factor"),
    (lambda stride, factors: 32 // stride * [1, 2, 4], "one rate per block"),
])
def test_wrong_rates_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_conv5_rates(mistake)
    assert "not yet" in verdict and message in verdict


def seen_on_an_axis(rates):
    return len(offsets(rates)) / (1 + 2 * sum(rates))


def test_the_unseen_share_from_one_axis_is_correct():
    assert "correct" in checks.check_unseen_share(lambda rates: 1 - seen_on_an_axis(rates) ** 2)


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda rates: 1 - seen_on_an_axis(rates), "along one axis"),
    (lambda rates: seen_on_an_axis(rates) ** 2, "cells that are seen"),
    (lambda rates: 100 * (1 - seen_on_an_axis(rates) ** 2), "not per cent"),
    (lambda rates: (1 - seen_on_an_axis(rates)) ** 2, "its row or its column"),
    (lambda rates: 0.5, "expected 0.000"),
    (lambda rates: offsets(rates), "one number"),
])
def test_a_wrong_share_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_unseen_share(mistake)
    assert "not yet" in verdict and message in verdict


def test_the_widest_rates_are_found_by_search():
    """Of all triples up to 10, exactly the orders of 1, 3, 9 are accepted."""
    triples = itertools.product(range(1, 11), repeat=3)
    right = {triple for triple in triples if "correct" in checks.check_widest(triple)}
    assert right == set(itertools.permutations((1, 3, 9)))


@pytest.mark.parametrize(("answer", "message"), [
    (None, "not attempted yet"),
    ((1, 2, 4), "15 cells wide"),
    ((1, 4, 9), "unseen"),
    ((1, 3), "three whole numbers"),
    (27, "Expected three rates"),
    ((1, 3, "9"), "three whole numbers"),
    ((0, 3, 9), "three whole numbers"),
])
def test_a_narrow_or_holed_answer_is_told_so(answer, message):
    assert message in checks.check_widest(answer)


def has_no_hole(before, unit, factors):
    rates = (*before, *(unit * factor for factor in factors))
    return len(offsets(rates)) == 1 + 2 * sum(rates)


def multi_grids(before, unit, largest, order=lambda factors: (-sum(factors), factors)):
    triples = itertools.combinations_with_replacement(range(1, largest + 1), 3)
    return sorted((one for one in triples if has_no_hole(before, unit, one)), key=order)


def test_a_search_over_all_rising_factors_is_correct():
    assert checks.check_multi_grids(multi_grids).startswith("Exercise 4.5: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda before, unit, largest: multi_grids((), 1, largest), "columns unseen. Its rates are"),
    (lambda before, unit, largest: multi_grids(before, 1, largest), "columns unseen"),
    (lambda before, unit, largest: multi_grids(before, unit, largest - 1), "is missing"),
    (lambda before, unit, largest: multi_grids(before, unit, largest + 1), "too large"),
    (lambda before, unit, largest: multi_grids(before, unit, largest)[::-1], "widest first"),
    (lambda before, unit, largest: multi_grids(
        before, unit, largest, lambda factors: (-sum(factors), factors[::-1])), "equally wide"),
    (lambda before, unit, largest: [one[::-1] for one in multi_grids(before, unit, largest)],
     "in rising order"),
    (lambda before, unit, largest: 2 * multi_grids(before, unit, largest), "stands there twice"),
    (lambda before, unit, largest: len(multi_grids(before, unit, largest)), "a list of triples"),
    (lambda before, unit, largest: max([]), "raised ValueError"),
])
def test_wrong_searches_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_multi_grids(mistake)
    assert "not yet" in verdict and message in verdict
