"""Tables of the paper as they are quoted: every value, in its place, and said to be quoted."""

import pytest

from deeplab.course.quoted import quoted_rows, show_quoted
from deeplab.report.paper import TITLES
from deeplab.support.errors import UsageError
from deeplab.table.paper import load_paper_rows


@pytest.mark.parametrize("table", TITLES)
def test_every_value_of_a_table_is_quoted_once(table):
    header, lines = quoted_rows(table)
    assert all(len(line) == len(header) for line in lines)
    assert sorted(value for line in lines for value in line[1:]) == sorted(
        f"{row.published_miou:.2f}" for row in load_paper_rows().values() if row.table == table)


def test_blocks_are_columns():
    assert quoted_rows("2") == (("", "block 4", "block 5", "block 6", "block 7"), [
        ("ResNet-50", "64.81", "72.14", "74.29", "73.88"),
        ("ResNet-101", "68.39", "73.21", "75.34", "75.76")])


def test_what_is_shown_says_that_it_is_quoted_and_unchecked(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    show_quoted("10")
    text = shown[0].data
    assert text.startswith("*Quoted: Table 10 of the paper") and "Cityscapes val" in text
    assert "not checked against the paper" in text and "| 79.30 |" in text


def test_an_unknown_table_is_refused():
    with pytest.raises(UsageError, match="E-TABLE there is no table of the paper '7'"):
        quoted_rows("7")
