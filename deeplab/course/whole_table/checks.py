"""Checks of lesson 12: the best of several, runs against runs, a verdict, all rows at once.

And of its workshop: how many seeds a verdict needs.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

from deeplab.course.exercise import exercise, judged
from deeplab.course.whole_table.equivalence import (POWER, draws, is_different, is_equivalent,
                                                    powers, seeds_needed)
from deeplab.table.rows import load_rows
from deeplab.table.verdict import tolerance

NEAR = 1e-9  # answers this near to each other are the same


@exercise("12.2", "One run of each is one of these pairs, and you do not know which.")
def check_wins(attempt: Callable[[Sequence[float], Sequence[float]], float]
               ) -> Iterator[str | None]:
    """Compare `attempt(first, second)` with all pairs of one score of each."""
    for first, second in (([50.0, 52.0, 51.0], [51.5, 49.0, 53.0]), ([50.0, 52.0, 53.0], [52.0]),
                          ([50.0], [50.5, 49.0, 51.0, 52.0])):
        pairs = list(product(first, second))
        got, wanted = attempt(first, second), sum(b > a for a, b in pairs) / len(pairs)
        case = f"{first} against {second}: "
        if isinstance(got, bool) or not isinstance(got, (int, float)):
            yield case + f"expected a share from 0 to 1; got {got!r}."
        yield judged(got, wanted, (
            (100 * wanted, "a share from 0 to 1 is asked for, not per cent."),
            (wanted * len(pairs), "that is a number of pairs; divide by how many there are."),
            (sum(a > b for a, b in pairs) / len(pairs), "that is how often the first is "
             "higher; the second is asked for."),
            (sum(b >= a for a, b in pairs) / len(pairs), "a tie is not higher."),
            (sum(b > a for a, b in zip(first, second)) / min(len(first), len(second)),
             "only neighbours in the lists were compared; any run may meet any other.")),
            f"got {got}, expected {wanted:.4f}.", case=case, near=NEAR)


@exercise("12.1", "A best score tells how many runs there were, too.")
def check_best_of(attempt: Callable[[Sequence[float], int], float]) -> Iterator[str | None]:
    """Compare `attempt(scores, n)` with the mean of the best over all choices of n scores."""
    different, with_a_tie = [77.1, 78.3, 76.4, 77.9], [77.1, 78.3, 76.4, 78.3]
    for scores, n in product((different, with_a_tie), (2, 3, 1, 4)):
        got = attempt(list(scores), n)
        wanted = statistics.fmean(max(some) for some in combinations(scores, n))
        case = f"{scores}, best of {n}: "
        if not isinstance(got, (int, float)):
            yield f"{case}expected a score; got {got!r}."
        yield judged(got, wanted, (
            (max(scores), "that is the best of all; only n of the runs were made."),
            (statistics.fmean(scores), "that is the mean of all, what one run gives."),
            (statistics.fmean(sorted(scores)[-n:]), "that is the mean of the n best. Of each "
             "choice of n only the best counts."),
            (max(scores[:n]), "that is one choice of n; average over all of them."),
            (_best_without_ties(scores, n), "two runs may have the same score, and both were "
             "made: count both."),
            (statistics.fmean(max(some) for some in product(scores, repeat=n)),
             "here one run may be chosen twice; n different runs were made.")),
            f"got {got}, expected {wanted:.4f}.", case=case, near=NEAR)


def _best_without_ties(scores: Sequence[float], n: int) -> float | None:
    """The answer when equal scores are taken for one; None if too few are left."""
    choices = [max(some) for some in combinations(set(scores), n)]
    return statistics.fmean(choices) if choices else None


@exercise("12.3", "First whether it counts, then how far off it is.")
def check_verdict(attempt: Callable[[Mapping[str, Any]], str]) -> str | None:
    """Compare `attempt(facts)` on results near and far, of every profile, cut short or not."""
    cases = (
        ("voc_r50_d8", 0.3, "full", True, "reproduced", ""),
        ("voc_r50_d8", 0.5, "full", True, "reproduced", "A difference as large as the tolerance "
         "is still within it."),
        ("voc_r50_d8", -0.7, "full", True, "not reproduced", "Too low is as far off as too high; "
         "and scores are in per cent and tolerances in points, so that nothing is divided."),
        ("voc_r50_d8", 0.9, "full", True, "not reproduced", "Better by more than the tolerance is "
         "another result, too."),
        ("ade20k_r50_d8", -0.7, "full", True, "reproduced", "Each label set has its tolerance."),
        ("cityscapes_r50_d16", 0.0, "demo", True, "not comparable", "A score of profile demo says "
         "nothing, even if it is equal."),
        ("cityscapes_r50_d16", 0.1, "small", True, "not comparable", "Only profile full is the "
         "published recipe."),
        ("voc_r101_d8", 0.1, "full", False, "incomplete", "A run cut short is not the row."),
        ("voc_r101_d8", 0.1, "demo", False, "incomplete", "What is incomplete is so in every "
         "profile; ask that first."))
    for row_id, difference, profile, complete, wanted, sentence in cases:
        row, published = load_rows()[row_id], 77.75  # whose sum with 0.5 has no rounding
        facts = {"row_id": row_id, "dataset": row.dataset, "profile": profile,
                 "complete": complete, "published_miou": published,
                 "miou": published + difference}
        got = attempt(facts)
        if got != wanted:
            case = (f"{row_id}, {profile}, {'complete' if complete else 'incomplete'}, "
                    f"{difference:+.1f} points, tolerance {tolerance(row.dataset)}")
            return f"{case}: got {got!r}, expected {wanted!r}. {sentence}".strip()
    return None


@exercise("12.4", "Sixteen rows know together what none of them knows alone.")
def check_bias(attempt: Callable[[Sequence[float]], tuple[float, float]]
               ) -> Iterator[str | None]:
    """Compare `attempt(differences)` with their mean and its standard error."""
    differences = [-0.2, 0.5, -0.9, 0.1, -0.6]
    count, mean = len(differences), statistics.fmean(differences)
    deviation = statistics.stdev(differences)
    got = attempt(list(differences))
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        yield f"Expected two numbers, the mean and its standard error; got {got!r}."
    sizes = statistics.fmean(map(abs, differences))
    yield judged(got[0], mean,
                 [(sizes, "The mean of the sizes is never 0; signs must be able to cancel.")],
                 f"Differences {differences}: mean {got[0]}, expected {mean:.4f}.", near=NEAR)
    error = deviation / math.sqrt(count)
    yield judged(got[1], error, (
        (deviation, "That is how far one row scatters; the mean of n rows scatters less, by "
                    "the square root of n."),
        (statistics.pstdev(differences) / math.sqrt(count), "The deviation of a sample divides "
         "by n - 1: its mean was taken from the same numbers."),
        (deviation / count, "Divide by the square root of n, not by n."),
        (deviation ** 2 / count, "That is the variance of the mean; take its root.")),
        f"Differences {differences}: standard error {got[1]}, expected {error:.4f}.", near=NEAR)


@exercise("12.5", "You can say before the first run whether the runs will be enough.")
def check_seeds(attempt: Callable[[np.ndarray, float], int | None]) -> Iterator[str | None]:
    """Compare `attempt(differences, tolerance)` with the fewest seeds that are enough.

    `differences` (trials, seeds) are those of imagined studies of a perfect copy.
    """
    for deviation, allowed in ((0.9, 0.8), (0.4, 0.5), (0.6, 0.5), (0.2, 0.5), (3.0, 0.5)):
        differences = deviation * draws()
        got = attempt(differences.copy(), allowed)
        wanted = seeds_needed(powers(lambda some: is_equivalent(some, allowed), differences))
        case = f"Deviation {deviation} points, tolerance {allowed}: "
        if wanted is None:
            if got is not None:
                yield f"{case}got {got}; so many seeds are not there, and the answer is None."
            continue
        if got is None:
            yield (f"{case}got None, but {wanted} are enough. Is a row one study, and does its "
                   "interval become narrower with the square root of n?")
        if isinstance(got, bool) or not isinstance(got, (int, np.integer)):
            yield f"{case}expected a number of seeds, {wanted}; got {got!r}."
        yield judged(got, wanted, _seed_mistakes(differences, allowed),
                     f"expected {wanted}, got {got}. For each n: the interval of every study's "
                     f"first n differences, the share of studies whose interval lies within the "
                     f"tolerance, and whether that is {POWER:.0%}.", case=case, near=0)


def _seed_mistakes(differences: np.ndarray,
                   allowed: float) -> Iterator[tuple[int | None, str]]:
    """Answers that usual mistakes lead to, and what to say of them."""
    def needed(judge: Callable[[np.ndarray], np.ndarray], power: float = POWER) -> int | None:
        return seeds_needed(powers(judge, differences), power)

    def with_(**changes: Any) -> Callable[[np.ndarray], np.ndarray]:
        return lambda some: is_equivalent(some, allowed, **changes)

    yield needed(with_(root=False)), "the error of a mean falls with the square root of n."
    yield (needed(lambda some: np.abs(some.mean(1)) <= allowed),
           "that asks for the mean alone; the whole interval must lie within the tolerance.")
    yield (needed(lambda some: ~is_different(some)),
           "an interval that holds 0 shows nothing: many intervals that are too wide hold it.")
    yield (needed(with_(), 0.5), "that many seeds succeed in half of the studies; four of five "
                                 "are asked for.")
    yield (needed(with_(certainty=0.975)), "that is the interval of 95 %, where two one-sided "
           "tests of 5 % have one of 90 %; or else a share of nine studies in ten, not of eight.")
    yield (needed(with_(certainty=0.9)), "that is the interval of 80 %: 0.9 is the certainty of "
                                         "both sides, 0.95 that of each.")
    yield (needed(with_(is_normal=True)), "that is the normal distribution. The deviation is "
           "estimated from few numbers, so take Student's t with n - 1 degrees of freedom.")
    yield (needed(with_(ddof=0)), "the deviation of a sample divides by n - 1; NumPy's `std` "
                                  "does so with ddof=1.")
