"""From the scores of several seeds to a verdict: equal within a tolerance, different, or open.

The verdict is that of two one-sided tests (Schuirmann 1987): two things are called equivalent
if the whole confidence interval of their difference lies within the tolerance. An interval of
90 % leaves an error of 5 % on either side, and only one side can be the true one.
"""

import functools
import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import norm, t

ONE_SIDED = 0.95  # certainty of each of the two tests
POWER = 0.8  # share of studies that should succeed
MOST_SEEDS = 40
TRIALS = 2000
Interval = tuple[float, float]


def interval(differences: Sequence[float]) -> Interval:
    """The 90 % confidence interval of the mean of `differences`, in their unit.

    Student's t, for the deviation is estimated from the same few numbers. Needs two of them.

    >>> [round(end, 2) for end in interval([0.1, 0.2, 0.3])]
    [0.03, 0.37]
    """
    count = len(differences)
    half = float(t.ppf(ONE_SIDED, count - 1)) * statistics.stdev(differences) / count ** 0.5
    mean = statistics.fmean(differences)
    return mean - half, mean + half


def claim(ends: Interval, tolerance: float) -> str:
    """What the interval of a difference allows to be said, the tolerance being set before."""
    low, high = ends
    if -tolerance <= low and high <= tolerance:
        return "equivalent"
    return "different" if low > tolerance or high < -tolerance else "undecided"


def seeds_to_tell(difference: float, deviation: float) -> int:
    """Runs of each of two methods so that a true difference is found in four of five studies.

    `deviation` is that of single runs, in points; a two-sided test of 5 %, normal approximation.

    >>> seeds_to_tell(0.5, 0.4)
    11
    """
    needed = norm.ppf(0.975) + norm.ppf(POWER)
    return math.ceil(2 * (needed * deviation / difference) ** 2)


@functools.cache
def draws(trials: int = TRIALS, seeds: int = MOST_SEEDS) -> np.ndarray:
    """Standard normal numbers (trials, seeds): the dice of so many imagined studies."""
    return np.random.default_rng(0).standard_normal((trials, seeds))


def powers(judge: Callable[[np.ndarray], np.ndarray], differences: np.ndarray) -> list[float]:
    """For n = 2, 3, ...: in which share of the studies `judge` of the first n seeds is true.

    `differences` is (trials, seeds); `judge` takes (trials, n) and gives (trials,).
    """
    return [float(np.mean(judge(differences[:, :count])))
            for count in range(2, differences.shape[1] + 1)]


def is_equivalent(differences: np.ndarray, tolerance: float, *, certainty: float = ONE_SIDED,
                  is_normal: bool = False, ddof: int = 1, root: bool = True) -> np.ndarray:
    """Which studies (trials, n) end with "equivalent", (trials,).

    The keyword arguments make usual mistakes: another certainty, the normal distribution in
    place of Student's, a deviation divided by n, an error divided by n and not by its root.
    """
    count = differences.shape[1]
    factor = norm.ppf(certainty) if is_normal else t.ppf(certainty, count - 1)
    half = factor * differences.std(1, ddof=ddof) / (math.sqrt(count) if root else count)
    return np.abs(differences.mean(1)) + half <= tolerance


def is_different(differences: np.ndarray) -> np.ndarray:
    """Which studies (trials, n) have an interval without 0, (trials,)."""
    count = differences.shape[1]
    half = t.ppf(ONE_SIDED, count - 1) * differences.std(1, ddof=1) / math.sqrt(count)
    return np.abs(differences.mean(1)) > half


def seeds_needed(shares: Sequence[float], power: float = POWER) -> int | None:
    """The fewest seeds, of 2, 3, ..., whose share reaches `power`; None if none does."""
    return next((count for count, share in enumerate(shares, start=2) if share >= power), None)
