"""The table explorer shows published numbers only, each where it belongs, and always something."""

import pytest

from deeplab.course.whole_table import explorer as table
from deeplab.course.whole_table.explorer import View
from deeplab.figures.plots import png
from deeplab.table.rows import load_rows

pytestmark = pytest.mark.filterwarnings("error")


def marks(axes):
    """(cost, score, is filled) of every mark; lines have no marker."""
    return [(line.get_xdata()[0], line.get_ydata()[0], line.get_markerfacecolor() != "white")
            for line in axes.lines if line.get_marker() != "None"]


def test_every_row_is_shown_once_on_every_axis():
    fig = table.draw(View())
    grid = [fig.axes[start:start + 5] for start in (0, 5, 10)]
    published = sorted(row.published_miou for row in load_rows().values())
    for line in grid:
        assert sorted(score for axes in line for _, score, _ in marks(axes)) == published
    assert [axes.get_title(loc="center") for axes in grid[0]] == list(table.DATASETS)


def test_a_mark_lies_at_its_cost_and_is_filled_at_output_stride_8():
    (axes,) = table.draw(View(("parameters",), ("voc",), ("resnet50",))).axes
    assert marks(axes) == [(pytest.approx(70.479754), 76.86, False),  # by hand, see the recipe
                           (pytest.approx(70.479754), 77.72, True)]
    assert [text.get_text() for text in axes.texts] == ["76.86", "77.72"]


def test_panels_are_equally_many_points_high():
    fig = table.draw(View(("GMACs",)))
    heights = [axes.get_ylim()[1] - axes.get_ylim()[0] for axes in fig.axes]
    assert heights == pytest.approx([heights[0]] * 5)


def test_output_stride_8_costs_four_times_the_work_of_aspp_and_no_parameter():
    """Gains by hand: (0.86 + 0.97) / 2; the last two stages and ASPP see four times the cells."""
    view = View(datasets=("voc",))
    gain, factor, count = view.exchange("output stride", "GMACs")
    assert (gain, count) == (pytest.approx(0.915), 2)
    assert 3 < factor < 4
    assert view.exchange("output stride", "parameters")[1] == 1
    assert view.exchange("depth", "parameters")[1] == pytest.approx(89.471882 / 70.479754)


def test_hours_have_a_gpu_and_follow_the_work():
    assert "V100-32" in table.AXES["hours"] and "predicted" in table.AXES["hours"]
    hours = {row_id: costs["hours"] for row_id, costs in table.costs().items()}
    assert max(hours, key=hours.get) == "ade20k_r101_d8"
    assert min(hours, key=hours.get) == "voc_r50_d16"


def test_the_sentence_names_gain_and_cost_of_the_pairs_that_are_shown():
    said = View(("parameters",), ("voc", "context"), ("resnet50",)).sentence()
    assert said == ("3 of 16 rows. Output stride 8 against 16: +0.86 points for 1.00 times the "
                    "parameters (mean of 1 pair).")
    assert View(datasets=("context",), output_strides=(8,)).exchange("output stride", "hours") == (
        0.0, 1.0, 0)


@pytest.mark.parametrize("view", [
    View(datasets=()), View(axes=()), View(datasets=("context",), output_strides=(16,))])
def test_an_empty_choice_says_so(view):
    fig = table.draw(view)
    png(fig)
    assert [text.get_text() for text in fig.texts] == ["No row of the table is chosen."]


def test_draw_is_pure():
    view = View(("GMACs",), ("voc",))
    assert png(table.draw(view)) == png(table.draw(view))


def test_the_legend_names_what_is_shown():
    (legend,) = table.draw(View(("GMACs",), backbones=("resnet101",))).legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "101 layers, output stride 16", "101 layers, output stride 8"]


def test_without_widgets_all_rows_are_shown(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(table, "find_spec", lambda name: None)
    monkeypatch.setattr(table.plots, "show", lambda fig, *, alt: shown.append(alt))
    table.explore(interactive=True)
    assert shown[0].startswith("16 of 16 rows.")
    assert "pip install ipywidgets" in capsys.readouterr().out


def test_the_choosers_ask_for_what_is_on_and_the_whole_table_stays(monkeypatch):
    pytest.importorskip("ipywidgets")
    views, asked = [], []
    monkeypatch.setattr(table, "show_switches", lambda *given: asked.append(given))
    monkeypatch.setattr(table.plots, "show", lambda fig, *, alt: views.append(alt))
    table.explore(interactive=True)
    ((how, rows, chooser, draw),) = asked
    assert "Tab" in how and views == [View().sentence()]
    _, words = draw({**rows, "label set": ("voc",)}, chooser.value)
    assert words == View(("GMACs",), ("voc",)).sentence()
