"""Every check knows a blank exercise, and a guess is set beside what was measured."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import get_origin

import numpy as np
import pytest
import torch

import deeplab.course
from deeplab.course.exercise import compare_guess, exercise, is_near, judged

LESSONS = [found.name for found in pkgutil.iter_modules(deeplab.course.__path__) if found.ispkg]
CHECKS = {f"{lesson}.{name}": check for lesson in LESSONS for name, check in
          vars(importlib.import_module(f"deeplab.course.{lesson}.checks")).items()
          if name.startswith("check_")}


def blank(*values):
    raise NotImplementedError


def test_each_of_the_thirteen_lessons_has_checks():
    assert len(LESSONS) == 13 == len({name.partition(".")[0] for name in CHECKS})


@pytest.mark.parametrize("name", CHECKS)
def test_a_blank_is_not_attempted(name):
    check = CHECKS[name]
    assert check(None).endswith("not attempted yet.")
    if get_origin(check.__annotations__["attempt"]) is Callable:
        assert check(blank).endswith("not attempted yet.")


def test_an_error_of_the_attempt_comes_through():
    with pytest.raises(ZeroDivisionError):
        exercise("0.0", "")(lambda attempt: attempt())(lambda: 1 / 0)


@pytest.mark.parametrize("guess, said", [(None, "It is 2.5 points."),
                                         (3, "You guessed 3. It is 2.5 points.")])
def test_a_guess_stands_beside_what_was_measured(guess, said):
    assert compare_guess(guess, 2.46, "points", digits=1) == said


def test_the_first_sentence_that_is_yielded_is_told_and_nothing_runs_after_it():
    @exercise("0.0", "Good.")
    def check(attempt):
        yield None
        if attempt != 1:
            yield "One, please."
        yield None if attempt == 1 else 1 / 0

    assert check(1) == "Exercise 0.0: correct. Good."
    assert check(2) == "Exercise 0.0: not yet. One, please."


def test_a_wrong_answer_is_told_by_the_first_mistake_that_it_is():
    mistakes = [(None, "never"), (2.0, "two"), (2, "two again")]
    assert judged(1.0 + 1e-9, 1, mistakes, "else") is None
    assert judged(torch.tensor(2), 1, mistakes, "else", case="Here: ") == "Here: two"
    assert judged(3, 1, mistakes, "else") == "else"


@pytest.mark.parametrize("got, answer, near, alike", [
    ((1, 2), [1, 2], 0, True), ([1, 2], np.array([[1, 2]]), 0, False), (None, None, 1, False),
    (np.arange(3)[::-1], torch.tensor([2.0, 1, 0], requires_grad=True), 0, True),
    (float("nan"), float("nan"), 0, True), (10**9, 10**9 + 1, 0, False), (1, 1.01, 1e-3, False)])
def test_answers_are_alike_by_shape_and_value(got, answer, near, alike):
    assert is_near(got, answer, near) == alike
