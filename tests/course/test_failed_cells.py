"""After a cell that failed, nothing that an earlier cell defined is judged in its place."""

import pytest
from IPython.core.interactiveshell import InteractiveShell

from deeplab.course.exercise import exercise
from deeplab.course.failed_cells import FailedCell

GOOD = "def my_answer():\n    return 1\n"


@exercise("0.0", "Good.")
def check(attempt):
    return None if attempt() == 1 else "One, please."


@pytest.fixture
def shell():
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    made.run_cell(GOOD)
    assert "correct" in check(made.user_ns["my_answer"])
    yield made
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(("cell", "said"), [
    ("def my_answer():\n    return (1\n", "SyntaxError, line"),
    ("import nothing_of_this_name\n" + GOOD, "ModuleNotFoundError"),
    ("my_answer = undefined + 1\n", "NameError"),
])
def test_a_cell_that_failed_leaves_nothing_old_to_be_judged(shell, capsys, cell, said):
    shell.run_cell(cell)
    verdict = check(shell.user_ns["my_answer"])
    assert verdict.startswith("Exercise 0.0: not yet. Its cell did not run") and said in verdict
    shell.run_cell(GOOD)
    assert "correct" in check(shell.user_ns["my_answer"])


@pytest.mark.parametrize("cell", [GOOD + "my_answer(3)\n", "my_answer(3)\n", "my_answer == x\n",
                                  "other = 1 / 0\n"])
def test_a_failure_that_comes_after_the_definition_or_elsewhere_changes_nothing(
        shell, capsys, cell):
    shell.run_cell(cell)
    assert "correct" in check(shell.user_ns["my_answer"])


def test_a_name_that_never_was_defined_stands_for_the_failure_too(shell, capsys):
    shell.run_cell("def my_other(:\n    return 1\n")
    assert isinstance(shell.user_ns["my_other"], FailedCell)
