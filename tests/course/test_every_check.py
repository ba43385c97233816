"""What holds for the check of every exercise: an answer that fails is told, and no traceback."""

import importlib
import inspect
from pathlib import Path

import pytest

import deeplab.course

CHECKS = [(path.parent.name, name, check)
          for path in sorted(Path(deeplab.course.__file__).parent.glob("*/checks.py"))
          for name, check in inspect.getmembers(
              importlib.import_module(f"deeplab.course.{path.parent.name}.checks"),
              inspect.isfunction)
          if name.startswith("check_") and hasattr(check, "__wrapped__")]
by_name = pytest.mark.parametrize("check", [check for _, _, check in CHECKS],
                                  ids=[f"{room}-{name}" for room, name, _ in CHECKS])


def failing(*args, **kwargs):
    """An attempt with a mistake that Python finds."""
    return [][1]


def stub(*args, **kwargs):
    """An exercise as it stands in the lesson."""
    raise NotImplementedError


@by_name
def test_an_attempt_that_raises_is_told_so_with_its_line(check):
    """The check of a value gets something that is no value of its kind."""
    wants_function = "Callable" in str(inspect.signature(check).parameters["attempt"].annotation)
    verdict = check(failing if wants_function else object())
    assert ": not yet. " in verdict
    if wants_function:
        assert "It raised IndexError: list index out of range, in line " in verdict
        assert "`return [][1]`" in verdict


@by_name
def test_what_was_not_attempted_is_not_judged(check):
    assert check(None).endswith(": not attempted yet.")
    if "Callable" in str(inspect.signature(check).parameters["attempt"].annotation):
        assert check(stub).endswith(": not attempted yet.")
