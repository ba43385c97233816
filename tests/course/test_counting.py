"""The counter of long cells shows one line that counts up, and passes every item on."""

import IPython
import IPython.display
import pytest

from deeplab.course import counting
from deeplab.course.counting import counted


class Line:
    """What `display` returns, with what it showed."""

    def __init__(self):
        self.shown = []

    def update(self, words):
        self.shown.append(words.data)


@pytest.fixture
def line(monkeypatch):
    """The line of a counter in a notebook, which may change at any time."""
    line = Line()
    monkeypatch.setattr(counting, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display",
                        lambda words, display_id: line.update(words) or line)
    return line


def test_a_line_counts_the_items_that_are_done(line):
    for item in counted("abc", "letters"):
        assert len(line.shown) == 1 + "abc".index(item)
    assert line.shown == [f"{number} of 3 letters" for number in range(4)]


def test_a_line_that_does_not_stay_is_empty_at_the_end(line):
    assert list(counted("abc", "letters", stays=False)) == ["a", "b", "c"]
    assert line.shown == ["0 of 3 letters", "1 of 3 letters", "2 of 3 letters", ""]


def test_a_line_changes_seldom_and_is_right_at_the_end(line, monkeypatch):
    monkeypatch.setattr(counting, "PAUSE_SECONDS", 1000)
    list(counted(range(50), "steps"))
    assert line.shown == ["0 of 50 steps", "50 of 50 steps"]


def test_without_a_notebook_nothing_is_shown(capsys):
    assert list(counted(range(3), "numbers")) == [0, 1, 2]
    assert capsys.readouterr().out == ""
