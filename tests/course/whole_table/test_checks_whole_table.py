"""The checks of lesson 12 pass the right answer and name each usual mistake."""

import math
import statistics
from functools import partial
from itertools import combinations, product

import pytest
from scipy import stats

from deeplab.course.whole_table import checks
from deeplab.table.verdict import is_comparable, tolerance


def won(pairs):
    pairs = list(pairs)
    return sum(b > a for a, b in pairs) / len(pairs)


def test_the_share_of_all_pairs_is_correct():
    assert checks.check_wins(lambda a, b: won(product(a, b))).startswith("Exercise 12.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda a, b: 100 * won(product(a, b)), "not per cent"),
    (lambda a, b: won(product(a, b)) * len(a) * len(b), "a number of pairs"),
    (lambda a, b: won(product(b, a)), "the second is asked for"),
    (lambda a, b: sum(y >= x for x in a for y in b) / len(a) / len(b), "a tie is not higher"),
    (lambda a, b: won(zip(a, b)), "only neighbours"),
    (lambda a, b: statistics.mean(b) > statistics.mean(a), "expected a share"),
    (lambda a, b: None, "expected a share"),
    (lambda a, b: 0.123, "got 0.123"),
])
def test_a_wrong_share_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_wins(mistake)
    assert "not yet" in verdict and message in verdict


def best(choices):
    return statistics.fmean(max(some) for some in choices)


def test_the_mean_best_of_all_choices_is_correct():
    assert checks.check_best_of(lambda scores, n: best(combinations(scores, n))).startswith(
        "Exercise 12.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda scores, n: max(scores), "the best of all"),
    (lambda scores, n: statistics.fmean(scores), "what one run gives"),
    (lambda scores, n: statistics.fmean(sorted(scores)[-n:]), "the mean of the n best"),
    (lambda scores, n: max(scores[-n:]), "got 77.9"),
    (lambda scores, n: best(product(scores, repeat=n)), "chosen twice"),
    (lambda scores, n: best(combinations(set(scores), min(n, len(set(scores))))),
     "may have the same score"),
    (lambda scores, n: best(combinations(scores, n + 1)), "not yet"),
    (lambda scores, n: best(combinations(scores, 9)), "raised StatisticsError"),
    (lambda scores, n: None, "expected a score"),
])
def test_a_wrong_best_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_best_of(mistake)
    assert "not yet" in verdict and message in verdict


def judged(facts, *, allowed=tolerance, counts=is_comparable, size=abs, finished=True):
    if finished and not facts["complete"]:
        return "incomplete"
    if not counts(facts["profile"]):
        return "not comparable"
    difference = size(facts["miou"] - facts["published_miou"])
    return "reproduced" if difference <= allowed(facts["dataset"]) else "not reproduced"


def test_the_verdict_of_the_table_is_correct():
    assert checks.check_verdict(judged).startswith("Exercise 12.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda facts: judged(facts, size=float), "Too low is as far off"),
    (lambda facts: judged(facts, size=lambda value: -value), "Better by more"),
    (lambda facts: judged(facts, allowed=lambda dataset: 0.5), "Each label set has its tolerance"),
    (lambda facts: judged(facts, counts=lambda profile: True), "even if it is equal"),
    (lambda facts: judged(facts, counts=lambda profile: profile != "demo"), "Only profile full"),
    (lambda facts: judged(facts, allowed=lambda dataset: tolerance(dataset) - 1e-9),
     "is still within it"),
    (lambda facts: facts["difference"], "raised KeyError"),
    (lambda facts: judged(facts, finished=False), "A run cut short"),
    (lambda facts: judged(facts, finished=is_comparable(facts["profile"])), "ask that first"),
    (lambda facts: None, "expected 'reproduced'"),
])
def test_a_wrong_verdict_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_verdict(mistake)
    assert "not yet" in verdict and message in verdict


def bias(values, *, mean=statistics.fmean, spread=statistics.stdev, share=math.sqrt):
    return mean(values), spread(values) / share(len(values))


def test_the_mean_and_its_standard_error_are_correct():
    assert checks.check_bias(bias).startswith("Exercise 12.4: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda values: bias([abs(value) for value in values]), "signs must be able to cancel"),
    (lambda values: bias(values, mean=statistics.median), "expected -0.22"),
    (lambda values: bias(values, share=lambda count: 1), "by the square root of n."),
    (lambda values: bias(values, spread=statistics.pstdev), "divides by n - 1"),
    (lambda values: bias(values, share=lambda count: count), "not by n."),
    (lambda values: (bias(values)[0], bias(values)[1] ** 2), "take its root"),
    (lambda values: bias(values)[0], "Expected two numbers"),
    (lambda values: (bias(values)[0], 1.0), "standard error 1.0"),
])
def test_a_wrong_bias_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_bias(mistake)
    assert "not yet" in verdict and message in verdict


def seeds(differences, tolerance, *, certainty=0.95, ddof=1, quantile=stats.t.ppf, power=0.8,
          root=0.5, first=2, judge=None):
    for n in range(first, differences.shape[1] + 1):
        some = differences[:, :n]
        half = quantile(certainty, n - 1) * some.std(1, ddof=ddof) / n ** root
        found = (abs(some.mean(1)) + half <= tolerance) if judge is None else judge(some, half)
        if found.mean() >= power:
            return n
    return None


def test_the_fewest_seeds_whose_interval_lies_within_the_tolerance_are_correct():
    assert checks.check_seeds(seeds).startswith("Exercise 12.5: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (partial(seeds, certainty=0.975), "interval of 95 %"),
    (partial(seeds, certainty=0.9), "interval of 80 %"),
    (partial(seeds, ddof=0), "divides by n - 1"),
    (partial(seeds, quantile=lambda certainty, freedom: stats.norm.ppf(certainty)),
     "normal distribution"),
    (partial(seeds, power=0.5), "half of the studies"),
    (partial(seeds, power=0.9), "nine studies in ten"),
    (partial(seeds, root=1), "square root of n"),
    (partial(seeds, judge=lambda some, half: abs(some.mean(1)) <= 0.8), "the mean alone"),
    (partial(seeds, judge=lambda some, half: abs(some.mean(1)) <= half), "shows nothing"),
    (partial(seeds, judge=lambda some, half: abs(some).max(1) <= 0.8),
     "got None, but 13 are enough"),
    (lambda *given: seeds(*given) or 40, "so many seeds are not there"),
    (lambda *given: (seeds(*given) or 1) + 1, "expected 13, got 14"),
    (lambda differences, tolerance: abs(differences.mean(1)) <= tolerance, "a number of seeds"),
    (lambda differences, tolerance: differences[tolerance], "raised IndexError"),
    (lambda differences, tolerance: 1 / 0, "raised ZeroDivisionError"),
])
def test_a_wrong_number_of_seeds_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_seeds(mistake)
    assert "not yet" in verdict and message in verdict, verdict
