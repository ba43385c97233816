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
