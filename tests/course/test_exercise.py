"""Every check knows a blank exercise, and a guess is set beside what was measured."""

import importlib
import pkgutil

import pytest

import deeplab.course
from deeplab.course.exercise import compare_guess, exercise

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
    if check.__annotations__["attempt"].startswith("Callable"):
        assert check(blank).endswith("not attempted yet.")


def test_an_error_of_the_attempt_comes_through():
    with pytest.raises(ZeroDivisionError):
        exercise("0.0", "")(lambda attempt: attempt())(lambda: 1 / 0)


@pytest.mark.parametrize("guess, said", [(None, "It is 2.5 points."),
                                         (3, "You guessed 3. It is 2.5 points.")])
def test_a_guess_stands_beside_what_was_measured(guess, said):
    assert compare_guess(guess, 2.46, "points", digits=1) == said
