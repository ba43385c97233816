"""The line that every check returns: not attempted yet, not yet and why, or correct."""

import functools
import inspect
import linecache
import traceback
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from deeplab.course.failed_cells import FailedCell, watch_cells

CLOSE = 0.02  # a guess this near to a usual one, as a share of it, was reasoned alike


def exercise(number: str, praise: str) -> Callable[[Callable], Callable[[Any], str]]:
    """Make a check of a function that finds what is wrong with an attempt.

    The decorated function takes the attempt and returns a sentence for the learner, or None
    if nothing is wrong; or it yields such a sentence or None for one case after the other, up to
    the first sentence. The check returns the line to print. A blank exercise, a stub that
    raises `NotImplementedError` or the value None, is "not attempted yet". Any other error is
    told in the line, with the line of the attempt that it comes from: a traceback would show
    the check's source, and with it the answer.
    """
    def make(find_mistake: Callable[[Any], Any]) -> Callable[[Any], str]:
        """The check that shows what `find_mistake` finds in an attempt."""
        @functools.wraps(find_mistake)
        def check(attempt: Any) -> str:
            watch_cells()
            try:
                mistake = _judge(find_mistake, attempt)
            except NotImplementedError:
                mistake = ""
            except Exception as error:  # whatever an attempt raises is the attempt's mistake
                mistake = _failure(error, attempt)
            if mistake is None:
                return f"Exercise {number}: correct. {praise}"
            return f"Exercise {number}: " + (f"not yet. {mistake}" if mistake
                                             else "not attempted yet.")
        return check
    return make


def _judge(find_mistake: Callable[[Any], Any], attempt: Any) -> str | None:
    """The first mistake found, None if there is none, or "" if nothing was attempted."""
    if attempt is None:
        return ""
    if isinstance(attempt, FailedCell):
        return attempt.reason
    mistake = find_mistake(attempt)
    if inspect.isgenerator(mistake):
        mistake = next(filter(None, mistake), None)
    return mistake


def _failure(error: Exception, attempt: Any) -> str:
    """What an error says, and the line of the attempt in which it arose."""
    lines = str(error).strip().splitlines()
    said = type(error).__name__ + (f": {lines[0][:150]}" if lines else "")
    code = getattr(inspect.unwrap(attempt), "__code__", None) if callable(attempt) else None
    places = [(frame.f_code.co_filename, line)
              for frame, line in traceback.walk_tb(error.__traceback__)
              if code and frame.f_code.co_filename == code.co_filename]
    if not places:
        return (f"What it gives could not be compared ({said}). Is it of the kind that is "
                "asked for?")
    file, line = places[-1]
    source = linecache.getline(file, line).strip()
    return f"It raised {said}, in line {line} of your cell" + (f": `{source}`" if source else ".")


class SeenCalls(TorchDispatchMode):
    """While this is on, note whether a convolution of a rate above 1 is asked of PyTorch."""

    dilated = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rates = {"aten::convolution": 5, "aten::im2col": 2}.get(func.name())
        self.dilated |= rates is not None and max(args[rates]) > 1
        return func(*args, **(kwargs or {}))


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


def compare_guess(guess: float | None, measured: float, unit: str, *, digits: int = 0,
                  usual: Iterable[tuple[float, str]] = ()) -> str:
    """A sentence with the learner's `guess` (None: none was written) and what was `measured`.

    Of `usual`, pairs (guess, sentence), the first that the guess is near to says how it may have
    been reasoned; nothing is said of a guess that is right.

    >>> compare_guess(30, 48, "cells", usual=[(30, "You rounded down.")])
    'You guessed 30. It is 48 cells. You rounded down.'
    """
    watch_cells()
    answer = f"It is {measured:.{digits}f} {unit}."
    if guess is None:
        return answer
    if not isinstance(guess, Real):
        return f"Write the guess as a number, not as {guess!r}. {answer}"
    reason = next((f" {sentence}" for value, sentence in usual
                   if abs(guess - value) <= CLOSE * abs(value)), "")
    right = abs(guess - measured) <= max(0.5 * 10.0 ** -digits, CLOSE * abs(measured))
    return f"You guessed {guess:g}. {answer}{'' if right else reason}"
