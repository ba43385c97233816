"""The counter of long cells shows one line that counts up, and passes every item on."""

import IPython
import IPython.display

from deeplab.course.counting import counted


class Line:
    """What `display` returns, with what it showed."""

    def __init__(self):
        self.shown = []

    def update(self, words):
        self.shown.append(words.data)


def test_a_line_counts_the_items_that_are_done(monkeypatch):
    line = Line()
    monkeypatch.setattr(IPython, "get_ipython", lambda: object())
    monkeypatch.setattr(IPython.display, "display",
                        lambda words, display_id: line.update(words) or line)
    for item in counted("abc", "letters"):
        assert len(line.shown) == 1 + "abc".index(item)
    assert line.shown == [f"{number} of 3 letters" for number in range(4)]


def test_without_a_notebook_nothing_is_shown(capsys):
    assert list(counted(range(3), "numbers")) == [0, 1, 2]
    assert capsys.readouterr().out == ""
