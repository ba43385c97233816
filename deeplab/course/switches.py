"""Rows of buttons that are on or off, and the figure that is drawn of what is on.

Buttons and not lists: in JupyterLab a list that has the focus does not get its keys.
"""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from deeplab.figures.plots import png

AGAIN = "Run the cell again for the switches: they need a kernel."


def show_switches(how: str, rows: Mapping[str, Sequence[Any]], chooser: Any,
                  draw: Callable[[dict[str, tuple], Any], tuple[Figure, str]]) -> None:
    """Display a row of buttons for each entry of `rows`, all on, and below them a figure.

    `draw` gets what is on in each row and the value of the widget `chooser`, and returns the
    figure and a sentence that says what it shows. `how` says how to use the buttons. In a
    notebook that is opened again a line stands in their place.
    """
    from IPython.display import display
    from ipywidgets import HTML, HBox, Image, Label, Layout, ToggleButton, VBox
    wraps = Layout(flex_flow="row wrap", width="100%")
    buttons = {name: {value: ToggleButton(value=True, layout=Layout(width="auto"))
                      for value in values} for name, values in rows.items()}
    shown, said = Image(format="png", layout=Layout(max_width="100%")), HTML()

    def redraw(_: object = None) -> None:
        for row in buttons.values():
            for value, button in row.items():
                button.description = f"{value}: {'on' if button.value else 'off'}"
                button.icon = "check" if button.value else "times"
        on = {name: tuple(value for value, button in row.items() if button.value)
              for name, row in buttons.items()}
        fig, sentence = draw(on, chooser.value)
        shown.value, said.value = png(fig), html.escape(sentence)

    for control in (chooser, *(button for row in buttons.values() for button in row.values())):
        control.observe(redraw, names="value")
    redraw()
    panel = VBox([HTML(how), *(HBox([Label(name), *row.values()], layout=wraps)
                               for name, row in buttons.items()), chooser, said, shown])
    display(panel._repr_mimebundle_() | {"text/plain": AGAIN}, raw=True)
