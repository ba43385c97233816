"""The second half of every prediction: your number beside what was measured."""

from __future__ import annotations


def compare_guess(guess: float | None, measured: float, unit: str, *, digits: int = 0) -> str:
    """One line on a guess; None means that none was written.

    >>> compare_guess(30, 48, "cells")
    'You guessed 30. It is 48 cells.'
    """
    answer = f"It is {measured:.{digits}f} {unit}."
    return answer if guess is None else f"You guessed {guess:g}. {answer}"
