"""Verdicts from seeds: intervals against SciPy's, claims at the edges, seeds by trial."""

import numpy as np
import pytest
from scipy import stats

from deeplab.course.whole_table.equivalence import (claim, draws, interval, is_equivalent, powers,
                                                    seeds_needed, seeds_to_tell)


def test_the_interval_is_that_of_scipy():
    differences = [0.3, -0.1, 0.8, 0.2]
    wanted = stats.ttest_1samp(differences, 0).confidence_interval(0.9)
    assert interval(differences) == pytest.approx((wanted.low, wanted.high))


@pytest.mark.parametrize(("ends", "said"), [
    ((-0.5, 0.5), "equivalent"), ((-0.5, 0.51), "undecided"), ((0.1, 0.4), "equivalent"),
    ((0.5, 0.9), "undecided"), ((0.51, 0.9), "different"), ((-0.9, -0.6), "different"),
    ((-0.6, 0.6), "undecided")])
def test_a_claim_needs_the_whole_interval_on_one_side_of_the_tolerance(ends, said):
    assert claim(ends, 0.5) == said


def test_the_claim_of_one_study_is_that_of_many_at_once():
    differences = 0.5 * draws(trials=50, seeds=5)
    many = is_equivalent(differences, 0.5)
    assert [claim(interval(row), 0.5) == "equivalent" for row in differences] == list(many)
    assert 0 < many.mean() < 1


def test_a_copy_that_is_off_by_the_tolerance_is_called_equivalent_one_time_in_twenty():
    differences = 0.5 + 0.4 * draws(seeds=12)
    assert 0.02 < is_equivalent(differences, 0.5).mean() < 0.08


def test_so_many_seeds_find_a_difference_in_four_of_five_studies():
    count = seeds_to_tell(0.5, 0.4)
    generator = np.random.default_rng(1)
    one, two = 0.4 * generator.standard_normal((2, 4000, count))
    found = stats.ttest_ind(one, two + 0.5, axis=1).pvalue < 0.05
    assert 0.74 < found.mean() < 0.86
    assert seeds_to_tell(0.25, 0.4) == pytest.approx(4 * count, abs=4)


def test_power_grows_with_seeds_and_the_first_that_is_enough_is_taken():
    shares = powers(lambda some: is_equivalent(some, 0.5), 0.4 * draws())
    assert shares[-1] > 0.99 > shares[0]
    needed = seeds_needed(shares)
    assert shares[needed - 2] >= 0.8 > shares[needed - 3]
    assert seeds_needed([0.1, 0.2]) is None
