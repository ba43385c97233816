"""Hashes of code must see what it does and nothing else."""

import pytest

from deeplab.support.source import without_words

CODE = '''"""What it is."""
LIMIT = 3


class Box:
    """A box."""

    def area(self, side):
        """Its area."""
        return side ** LIMIT
'''


@pytest.mark.parametrize("before, after", [
    ("What it is.", "Something else."), ('    """A box."""\n\n', ""),
    ("LIMIT = 3", "LIMIT=3  # cubes"), ("\n\n\nclass", "\nclass"),
    ('        """Its area."""\n', "")])
def test_wording_and_layout_change_nothing(before, after):
    assert before in CODE
    assert without_words(CODE.replace(before, after)) == without_words(CODE)


@pytest.mark.parametrize("before, after", [
    ("LIMIT = 3", "LIMIT = 2"), ("side ** LIMIT", "LIMIT ** side"), ("class Box", "class Bag"),
    ("return side", "return 'a text'; side")])
def test_everything_else_changes_something(before, after):
    assert before in CODE
    assert without_words(CODE.replace(before, after)) != without_words(CODE)


def test_a_text_that_is_no_docstring_counts():
    assert without_words("def f():\n  x = 1\n  'b'") != without_words("def f():\n  x = 1\n  'c'")


ERRORS = '''
def _check_side(side: int) -> None:
    if side < LEAST:
        wrong = [f"{side} is small"]
        raise ValueError("too small" + str(wrong))


def _no_side(side: int) -> DataError:
    return DataError.of("E-SIDE", "no side", found=side)


def area(side: int, mode: str = "square") -> int:
    _check_side(side)
    _refuse("side", side, side > 3, "at most 3")
    error = DataError.of("E-SIDE", "a side", do="give one")
    if mode == "none":
        raise _no_side(side) from error
    return side ** 2
'''


@pytest.mark.parametrize("before, after", [
    ("too small", "small"), ("is small", "is too small"), ("no side", "none"), ('"a side"', '"b"'),
    ('"give one"', 'f"give {side}"'), ("at most 3", "3 at most"), (" from error", "")])
def test_the_text_of_an_error_changes_nothing(before, after):
    assert before in ERRORS
    assert without_words(ERRORS.replace(before, after)) == without_words(ERRORS)


@pytest.mark.parametrize("before, after", [
    ("side < LEAST", "side <= LEAST"), ("side > 3", "side > 4"), ('"none"', '"no"'),
    ("side ** 2", "side ** 3"), ('"square"', '"round"'),
    ("        raise _no_side(side) from error", "        pass")])
def test_whether_an_error_is_raised_counts(before, after):
    assert before in ERRORS
    assert without_words(ERRORS.replace(before, after)) != without_words(ERRORS)
