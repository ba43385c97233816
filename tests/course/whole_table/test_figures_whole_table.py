"""The numbers behind the pictures of lesson 12, worked out by hand from the published table."""

import pytest

from deeplab.course.whole_table import figures
from deeplab.figures.plots import png

pytestmark = pytest.mark.filterwarnings("error")


def test_gains_are_those_of_the_published_table():
    """77.72 - 76.86 and so on, subtracted by hand."""
    assert figures.gains(figures.published(), "output stride") == {
        "voc_r50_d16": 0.86, "voc_r101_d16": 0.97, "ade20k_r50_d16": 1.78,
        "ade20k_r101_d16": 1.71, "cityscapes_r50_d16": 1.43, "cityscapes_r101_d16": 2.25}
    assert list(figures.gains(figures.published(), "depth").values()) == [
        1.80, 1.69, 1.97, 2.04, 0.66, -0.16, 2.12, 2.12]


def test_the_opening_shows_every_difference_and_fills_those_beyond_the_band():
    fig = figures.opening()
    png(fig)
    stride, depth = fig.axes
    assert [text.get_text() for text in stride.texts] == [
        "+0.86", "+0.97", "+1.78", "+1.71", "+1.43", "+2.25"]
    assert [label.get_text() for label in depth.get_yticklabels()][-3:] == [
        "cityscapes d16", "context d8", "context59 d8"]
    hollow = [line.get_markerfacecolor() == "white" for line in depth.lines[:-1]]
    assert hollow == [False] * 5 + [True, False, False]
    widths = [patch.get_width() for patch in stride.patches]
    assert widths == pytest.approx([1, 1, 1.6, 1.6, 1, 1])


def test_bands_end_inside_the_picture():
    (axes,) = figures.offsets({"ade20k_r50_d8": 0.1, "voc_r50_d8": 0.2}, title="two").axes
    left, right = axes.get_xlim()
    assert left < -0.8 and right > 0.8


def test_the_other_team_has_rows_of_this_table_only():
    assert set(figures.OTHER_TEAM) <= set(figures.published())
    differences = {row_id: figures.published()[row_id] - theirs
                   for row_id, theirs in figures.OTHER_TEAM.items()}
    assert max(differences, key=differences.get) == "context_r101_d8"
    assert differences["context_r101_d8"] == pytest.approx(2.01)


def test_seeds_are_joined_across_rows():
    fig = figures.seeds({"voc_r50_d16": [10.0, 12.0], "voc_r50_d8": [11.0, 11.5]})
    assert [list(line.get_ydata()) for line in fig.axes[0].lines] == [[10.0, 11.0], [12.0, 11.5]]


def test_an_interval_is_named_and_coloured_by_what_it_allows():
    fig = figures.intervals({"in": (-0.2, 0.3), "out": (0.6, 0.9), "both": (-0.2, 0.9)}, 0.5)
    png(fig)
    (axes,) = fig.axes
    assert [text.get_text() for text in axes.texts] == ["equivalent", "different", "undecided"]
    bars = [line for line in axes.lines if line.get_marker() == "|"]
    assert [tuple(bar.get_xdata()) for bar in bars] == [(-0.2, 0.3), (0.6, 0.9), (-0.2, 0.9)]
    assert len({bar.get_color() for bar in bars}) == 3
