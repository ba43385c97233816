"""Scores as JSON and people get them; one that is undefined is no number and says so."""

import math


def rounded(value: float, digits: int | None = 4) -> float | None:
    """`value`, rounded unless `digits` is None; None where it is not finite, for JSON."""
    if not math.isfinite(value):
        return None
    return value if digits is None else round(value, digits)


def score_words(miou: float | None) -> str:
    """A score in per cent for people.

    >>> score_words(70.126), score_words(None)
    ('70.13 %', 'undefined (no labelled pixel)')
    """
    return "undefined (no labelled pixel)" if miou is None or math.isnan(miou) else f"{miou:.2f} %"
