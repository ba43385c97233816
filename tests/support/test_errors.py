"""One form for every error: what it says, how it travels, what the command line returns."""

import pickle

import pytest
from IPython.core.interactiveshell import InteractiveShell

from deeplab.support import errors
from deeplab.support.errors import DataError, DeeplabError, UsageError


def test_the_text_has_code_file_found_expected_and_what_to_do():
    error = DataError.of("E-LABEL", "value not allowed in a label image", file="a/b.png",
                         found="38 (12 pixels)", expected="0..20 and 255", do="re-export it")
    assert str(error) == ("E-LABEL value not allowed in a label image\n"
                          "  file: a/b.png\n"
                          "  found: 38 (12 pixels)   expected: 0..20 and 255\n"
                          "  do: re-export it")


def test_parts_that_are_not_given_are_left_out_but_a_zero_is_shown():
    assert str(UsageError.of("E-X", "wrong")) == "E-X wrong"
    assert str(UsageError.of("E-X", "wrong", found=0)) == "E-X wrong\n  found: 0"


def test_found_and_expected_that_are_long_take_a_line_each():
    text = str(UsageError.of("E-X", "wrong", found="a" * 60, expected="b" * 60))
    assert text.splitlines()[1:] == [f"  found: {'a' * 60}", f"  expected: {'b' * 60}"]


def test_the_code_is_the_first_word():
    assert DataError.of("E-PAIR", "3 labels are missing").code == "E-PAIR"
    assert DeeplabError("E-SINGLE_PROCESS").code == "E-SINGLE_PROCESS"


def test_an_error_survives_the_way_out_of_a_worker_process():
    error = DataError.of("E-IMAGE", "a file that cannot be decoded", file="x.jpg")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is DataError and str(copy) == str(error)


@pytest.mark.parametrize("name, code", [
    ("DeeplabError", 1), ("UsageError", 2), ("DataError", 3), ("CheckpointError", 4),
    ("ResourceError", 5), ("DivergedError", 6), ("LockedError", 7), ("Stopped", 75),
    ("KernelDied", 138)])
def test_every_class_has_the_exit_code_of_the_contract(name, code):
    assert getattr(errors, name).exit_code == code


def test_wrong_input_is_also_a_value_error():
    assert issubclass(UsageError, ValueError) and issubclass(DataError, ValueError)


def test_a_notebook_shows_the_text_alone(capsys):
    shell = InteractiveShell()
    shell.run_cell("from deeplab.support.errors import UsageError\n"
                   "raise UsageError.of('E-ROW', 'there is no row', do='choose one that exists')")
    said = capsys.readouterr().out
    assert said.strip() == "UsageError: E-ROW there is no row\n  do: choose one that exists"
