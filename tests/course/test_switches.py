"""Buttons that are on or off, of the real widgets, and the figure that is drawn of what is on."""

import pytest

from deeplab.course import switches
from deeplab.figures.plots import words_only


@pytest.fixture
def panels(monkeypatch):
    """The panels that are made, and what is displayed."""
    ipywidgets = pytest.importorskip("ipywidgets")
    made, shown, vbox = [], [], ipywidgets.VBox
    monkeypatch.setattr(ipywidgets, "VBox",
                        lambda children: made.append(vbox(children)) or made[-1])
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    return made, shown


def test_what_is_on_is_drawn_and_said_and_a_line_stands_in_a_saved_notebook(panels):
    from ipywidgets import IntSlider
    made, shown = panels
    asked = []

    def draw(on, number):
        asked.append((on, number))
        return words_only(f"{on} {number}"), f"{on['stride']} <{number}>"

    slider = IntSlider(3)
    switches.show_switches("click", {"layers": (50, 101), "stride": (8, 16)}, slider, draw)
    how, layers, strides, chooser, said, picture = made[0].children
    before, first = picture.value, strides.children[1]
    assert [child.value for child in (how, layers.children[0])] == ["click", "layers"]
    assert (first.description, first.icon) == ("8: on", "check")
    first.value = False
    assert (first.description, first.icon) == ("8: off", "times") and picture.value != before
    assert asked[-1] == ({"layers": (50, 101), "stride": (16,)}, 3)
    assert said.value == "(16,) &lt;3&gt;"
    slider.value = 5
    assert asked[-1][1] == 5
    assert shown[0]["text/plain"] == switches.AGAIN
    assert "application/vnd.jupyter.widget-view+json" in shown[0]
