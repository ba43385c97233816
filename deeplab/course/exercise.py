"""The line that every check returns: not attempted yet, not yet and why, or correct."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


def exercise(number: str, praise: str) -> Callable[[Callable], Callable[[Any], str]]:
    """Make a check of a function that finds what is wrong with an attempt.

    The decorated function takes the attempt and returns a sentence for the learner, or None
    if nothing is wrong. The check returns the line to print. A blank exercise, a stub that
    raises `NotImplementedError` or the value None, is "not attempted yet". Other errors of
    the attempt come through: their traceback points into the learner's own cell.
    """
    def make(find_mistake: Callable[[Any], str | None]) -> Callable[[Any], str]:
        @functools.wraps(find_mistake)
        def check(attempt: Any) -> str:
            try:
                mistake = "" if attempt is None else find_mistake(attempt)
            except NotImplementedError:
                mistake = ""
            if mistake is None:
                return f"Exercise {number}: correct. {praise}"
            return f"Exercise {number}: " + (f"not yet. {mistake}" if mistake
                                             else "not attempted yet.")
        return check
    return make


def compare_guess(guess: float | None, measured: float, unit: str, *, digits: int = 0) -> str:
    """A sentence with the learner's `guess` (None: none was written) and what was `measured`.

    >>> compare_guess(30, 48, "cells")
    'You guessed 30. It is 48 cells.'
    """
    answer = f"It is {measured:.{digits}f} {unit}."
    return answer if guess is None else f"You guessed {guess:g}. {answer}"
