"""The line that every check returns: not attempted yet, not yet and why, or correct."""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch


def exercise(number: str, praise: str) -> Callable[[Callable], Callable[[Any], str]]:
    """Make a check of a function that finds what is wrong with an attempt.

    The decorated function takes the attempt and returns a sentence for the learner, or None
    if nothing is wrong; or it yields such a sentence or None for one case after the other, up to
    the first sentence. The check returns the line to print. A blank exercise, a stub that
    raises `NotImplementedError` or the value None, is "not attempted yet". Other errors of
    the attempt come through: their traceback points into the learner's own cell.
    """
    def make(find_mistake: Callable[[Any], Any]) -> Callable[[Any], str]:
        @functools.wraps(find_mistake)
        def check(attempt: Any) -> str:
            try:
                mistake = "" if attempt is None else find_mistake(attempt)
                if inspect.isgenerator(mistake):
                    mistake = next(filter(None, mistake), None)
            except NotImplementedError:
                mistake = ""
            if mistake is None:
                return f"Exercise {number}: correct. {praise}"
            return f"Exercise {number}: " + (f"not yet. {mistake}" if mistake
                                             else "not attempted yet.")
        return check
    return make


def judged(got: Any, wanted: Any, mistakes: Iterable[tuple[Any, str]], otherwise: str, *,
           case: str = "", near: float = 1e-6) -> str | None:
    """None if an answer is the one that is `wanted`, else `case` and what is wrong with it.

    Of `mistakes`, pairs (answer, sentence), the first whose answer was given says what; if none
    was, `otherwise` does. See `is_near` for `near`.

    >>> judged(50, 0.5, [(50, "That is per cent.")], "Expected 0.5.")
    'That is per cent.'
    """
    if is_near(got, wanted, near):
        return None
    return case + next((sentence for answer, sentence in mistakes if is_near(got, answer, near)),
                       otherwise)


def is_near(got: Any, answer: Any, near: float) -> bool:
    """Whether two numbers, sequences, arrays or tensors have one shape and the same values.

    Values may be apart by `near`, absolute and relative; NaN is NaN. None is near to nothing.
    """
    if got is None or answer is None:
        return False
    one, other = (np.asarray(value.detach() if isinstance(value, torch.Tensor) else value, float)
                  for value in (got, answer))
    return one.shape == other.shape and np.allclose(one, other, near, near, equal_nan=True)


def compare_guess(guess: float | None, measured: float, unit: str, *, digits: int = 0) -> str:
    """A sentence with the learner's `guess` (None: none was written) and what was `measured`.

    >>> compare_guess(30, 48, "cells")
    'You guessed 30. It is 48 cells.'
    """
    answer = f"It is {measured:.{digits}f} {unit}."
    return answer if guess is None else f"You guessed {guess:g}. {answer}"
