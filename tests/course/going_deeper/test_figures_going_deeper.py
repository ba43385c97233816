"""What a cell can hold, counted by hand, and pictures that show what they are given."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from deeplab.course.going_deeper import detail, figures
from deeplab.course.quoted import quoted_rows
from deeplab.figures.plots import png
from deeplab.support.void import IGNORE_INDEX

LABEL = np.array([[1, 1, 2, 2, 0],
                  [1, 0, 2, 2, 0],
                  [0, 0, 0, 255, 255],
                  [0, 0, 0, 255, 255]], np.uint8)


def test_a_cell_says_the_class_that_most_of_its_pixels_have_and_void_has_no_vote():
    assert detail.cell_votes(LABEL, 2).tolist() == [[1, 2, 0], [0, 0, IGNORE_INDEX]]
    assert detail.cell_votes(LABEL, 1).tolist() == LABEL.tolist()
    assert detail.cell_votes(LABEL, 8).tolist() == [[0]]
    assert detail.cell_votes(np.full((2, 2), 255, np.uint8), 2).tolist() == [[255]]


def test_things_right_counts_pixels_of_things_alone():
    assert detail.things_right([LABEL], 2) == 100
    assert detail.things_right([LABEL], 8) == 0
    thin = LABEL.copy()
    thin[0, 2] = 3
    assert detail.things_right([LABEL, thin], 2) == pytest.approx(100 * 13 / 14)


def test_a_label_is_enlarged_to_the_size_of_a_photograph():
    label = detail.enlarged_label(figures.OPENING_IMAGE)
    assert label.shape == (384, 512)
    assert (label[::4, ::4] == label[3::4, 3::4]).all()


def test_the_halves_of_fig_3_have_taps_equally_far_apart():
    above, below = figures.block_plan(256), figures.block_plan(16)
    assert above == [(16, 1), (32, 1), (64, 1), (128, 1), (256, 1)]
    assert [pixels * rate for pixels, rate in above] == [pixels * rate for pixels, rate in below]


def test_the_opening_names_pixels_and_rates():
    fig = figures.opening()
    titles = [axes.get_title("center") for axes in fig.axes]
    assert titles[2] == "block 5: 64 px\nrate 1, 9 of 9 taps"
    assert titles[9] == "block 7: 16 px\nrate 16, 2 of 9 taps"
    assert png(fig)


def test_the_lines_and_bars_are_what_they_are_given():
    fig = figures.detail_lost({8: 100.0, 16: 90.0}, {8: 75.18, 16: 73.88, 32: 70.06})
    assert [list(line.get_ydata()) for line in fig.axes[0].lines] == [[100, 90], [75.18, 73.88]]
    fig = figures.taps_used({"(1, 1, 1)": [90.0] * 12}, {"(1, 1, 1)": [2] * 12})
    assert [bar.get_height() for bar in fig.axes[0].patches] == [90.0] * 12
    weights = {"deep": {"backbone": 40.0, "cascade": 40.0}, "wide": {"pyramid": 15.0}}
    fig = figures.price_bars(weights, {"deep": {"backbone": 50.0}, "wide": {"backbone": 50.0}})
    assert [text.get_text() for text in fig.axes[0].texts] == ["80", "15"]


def test_table_3_is_drawn_as_it_is_quoted():
    header, lines = quoted_rows("3")
    fig = figures.table_3(header, lines)
    drawn = {line.get_label(): list(line.get_ydata()) for line in fig.axes[0].lines}
    assert drawn["MG (1, 2, 4)"] == [73.45, 75.74, 75.85, 76.02]
    assert len(drawn) == len(lines) == 5
    bars = figures.taps_used({"(1, 2, 4)": [90.0] * 12}, {"(1, 2, 4)": [2] * 12}).axes[0].patches
    line = next(line for line in fig.axes[0].lines if line.get_label() == "MG (1, 2, 4)")
    assert to_rgb(bars[0].get_facecolor()) == to_rgb(line.get_color())
