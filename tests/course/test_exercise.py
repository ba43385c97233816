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


def test_each_of_the_fourteen_lessons_has_checks():
    assert len(LESSONS) == 14 == len({name.partition(".")[0] for name in CHECKS})


@pytest.mark.parametrize("name", CHECKS)
def test_a_blank_is_not_attempted(name):
    check = CHECKS[name]
    assert check(None).endswith("not attempted yet.")
    if get_origin(check.__annotations__["attempt"]) is Callable:
        assert check(blank).endswith("not attempted yet.")


@exercise("0.0", "Good.")
def check_the_answer(attempt):
    answer_of_the_check = 42
    return None if attempt() + 0 == answer_of_the_check else "It is more."


def divides():
    return 1 / 0


def test_an_error_of_the_attempt_is_told_with_its_line_and_without_the_check():
    line = divides.__code__.co_firstlineno + 1
    assert check_the_answer(divides) == (
        "Exercise 0.0: not yet. It raised ZeroDivisionError: division by zero, in line "
        f"{line} of your cell: `return 1 / 0`")


def test_an_answer_that_the_check_cannot_compare_is_told_without_the_check():
    said = CHECKS["start.check_class_share"](lambda label, index: "forty-two")
    assert "not yet. What it gives could not be compared (ValueError" in said
    assert "judged" not in said and "wanted" not in said


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("answer", [3, "three", [[1], [2]], object()])
def test_no_answer_of_another_kind_makes_a_check_raise(name, answer):
    check = CHECKS[name]
    if get_origin(check.__annotations__["attempt"]) is Callable:
        assert "not yet" in check(lambda *given: answer)
    else:
        assert "not yet" in check(answer)


@pytest.mark.parametrize("name", CHECKS)
def test_an_attempt_that_raises_is_told_its_own_line(name):
    if get_origin(CHECKS[name].__annotations__["attempt"]) is Callable:
        def attempt(*given):
            return given[99]

        said = CHECKS[name](attempt)
        assert "not yet. It raised IndexError" in said and "`return given[99]`" in said


@pytest.mark.parametrize("guess, said", [
    (None, "It is 2.5 points."), (3, "You guessed 3. It is 2.5 points."),
    (25.1, "You guessed 25.1. It is 2.5 points. Ten times too much."),
    (2.5, "You guessed 2.5. It is 2.5 points."),
    ("two", "Write the guess as a number, not as 'two'. It is 2.5 points.")])
def test_a_guess_stands_beside_what_was_measured_and_how_it_was_reasoned(guess, said):
    usual = [(25, "Ten times too much."), (2.5, "never said")]
    assert compare_guess(guess, 2.46, "points", digits=1, usual=usual) == said


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
