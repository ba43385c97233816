"""The pictures of lesson 5 count the taps they draw."""

import pytest

from deeplab.course.aspp import figures
from deeplab.figures.plots import png


def test_the_opening_counts_the_taps_of_the_middle_cell():
    fig = figures.opening()
    assert [ax.get_title("center") for ax in fig.axes] == [
        "rate 6: 9 of 9 taps inside", "rate 12: 9 of 9 taps inside", "rate 18: 1 of 9 taps inside"]
    assert png(fig)


def test_the_maps_say_where_all_nine_fall_inside():
    fig = figures.tap_maps(32, (6, 12, 18))
    assert [ax.get_title("center") for ax in fig.axes[:3]] == [
        "rate 6: all nine at 39 %", "rate 12: all nine at 6 %", "rate 18: all nine at 0 %"]
    assert png(fig)


def test_a_line_of_fig_4_is_the_shares_of_one_count():
    shares = {1: {9: 0.9, 6: 0.1}, 2: {9: 0.5, 4: 0.5}}
    lines = {line.get_label(): list(line.get_ydata())
             for line in figures.valid_taps(shares, side=65).axes[0].lines}
    assert lines["9 taps inside"] == [0.9, 0.5]
    assert lines["1 tap inside"] == [0, 0]


def test_bars_of_a_pyramid_add_up():
    fig = figures.parameter_bars({"small": {"point": 10**6, "project": 2 * 10**6},
                                  "large": {"point": 2 * 10**6, "project": 8 * 10**6}})
    assert [text.get_text() for text in fig.axes[0].get_legend().texts] == ["1x1", "projection"]
    assert [text.get_text() for text in fig.axes[0].texts] == ["3.0", "10.0"]
    assert max(bar.get_x() + bar.get_width() for bar in fig.axes[0].patches) == pytest.approx(10)


def test_the_diagram_names_a_branch_for_each_rate():
    said = [text.get_text() for text in figures.diagram((1, 2), channels=8).axes[0].texts]
    assert "3x3, rate 1" in said and "3x3, rate 2" in said and "1x1" in said
    assert any("4 · 8" in text for text in said)
