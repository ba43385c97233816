"""The pictures of lesson 3 show the numbers they are given."""

import numpy as np
import pytest
import torch

from deeplab.course.output_stride import figures
from deeplab.data.catalog import get_dataset
from deeplab.figures.plots import png, side_by_side

VOC = get_dataset("voc")


def titles(fig):
    return [ax.get_title(loc) for ax in fig.axes for loc in ("left", "center")
            if ax.get_title(loc)]


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    label = np.zeros((32, 64), np.uint8)
    label[8:24, 16:48] = 7
    label[0, :] = 255
    return rng.integers(0, 255, (32, 64, 3), np.uint8), label


def test_the_title_says_how_much_of_the_things_a_stride_keeps(scene):
    image, label = scene
    label[label == 0] = 7
    fig = figures.best_predictions(image, label, VOC, strides=(8, 32))
    assert png(fig)
    assert titles(fig)[2:] == ["output stride 8\n100 % of things right",
                               "output stride 32\n100 % of things right"]


def test_a_thing_in_a_corner_of_a_coarse_cell_is_lost(scene):
    image, label = scene
    label[:] = 0
    label[2:6, 2:6] = 7
    assert titles(figures.best_predictions(image, label, VOC, strides=(32,)))[2].endswith(
        "\n0 % of things right")


def test_taps_stand_32_pixels_apart_at_every_stride():
    axes = figures.taps_in_pixels().axes[0]
    blue = [line.get_xdata() for line in axes.lines if line.get_color() == figures.BLUE]
    assert [list(xs) for xs in blue] == [[-32, 0, 32]] * 3


def test_dots_lie_on_the_cells_that_the_maps_share():
    maps = {stride: torch.rand(1, 2, 64 // stride, 96 // stride) for stride in (32, 16, 8)}
    axes = figures.shared_cells(maps, channel=1).axes[:3]
    for ax, (stride, values) in zip(axes, maps.items()):
        assert sorted(set(ax.lines[0].get_xdata())) == [0, 32, 64], "one place on the page"
        left, right, _, _ = ax.images[0].get_extent()
        cells = (np.array([0, 32, 64]) - left) / (right - left) * values.shape[3]
        assert (cells % 1 == 0.5).all(), "at the middle of a cell"
        assert (cells // 1 * stride).tolist() == [0, 32, 64]
    assert len({ax.images[0].get_clim() for ax in axes}) == 1, "one colour scale for all"


def test_bars_of_a_stride_add_up_to_its_work():
    macs = {stride: {"backbone": 10**9, "aspp": size * 10**9, "classifier": 5,
                     "aux_classifier": 10**9} for stride, size in ((16, 2), (8, 8))}
    fig = figures.price_bars(macs, {16: 2**30, 8: 3 * 2**30})
    assert [text.get_text() for text in fig.axes[0].texts] == ["4", "10"]
    assert [text.get_text() for text in fig.axes[1].texts] == ["1", "3"]


def test_predictions_and_lines_carry_their_names(scene):
    image, label = scene
    fig = side_by_side({"image": image, "label": label, "D16": label, "D8": label}, VOC)
    assert png(fig) and titles(fig) == ["image", "label", "D16", "D8"]
    fig = figures.right_by_width({"D16": [10, 20], "D8": [30, 40]}, ("thin", "wide"))
    assert [line.get_label() for line in fig.axes[0].lines] == ["D16", "D8"]
    assert png(fig)
