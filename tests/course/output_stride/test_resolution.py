"""Best predictions and thin parts, on labels small enough to be worked out by hand."""

import math

import numpy as np
import pytest

from deeplab.course.output_stride.resolution import (best_prediction, right_by_width, share_right,
                                                     thin_pixels)


def test_a_map_of_single_pixels_keeps_the_label():
    label = np.random.default_rng(0).integers(0, 4, (6, 8)).astype(np.uint8)
    assert np.array_equal(best_prediction(label, output_stride=1, num_classes=4), label)


def test_a_class_that_fills_whole_cells_is_kept_and_a_line_is_outvoted():
    label = np.zeros((16, 16), np.uint8)
    label[:, 8:] = 1
    label[5] = 2
    best = best_prediction(label, output_stride=8, num_classes=3)
    assert np.array_equal(best, np.where(np.arange(16) < 8, 0, 1)[None].repeat(16, 0))


def test_void_votes_for_nobody():
    label = np.full((8, 8), 255, np.uint8)
    label[3, 3] = 1
    assert (best_prediction(label, output_stride=8, num_classes=2) == 1).all()


def test_a_size_that_the_stride_does_not_divide_keeps_its_size():
    label = np.ones((13, 9), np.uint8)
    assert best_prediction(label, output_stride=8, num_classes=2).shape == (13, 9)


def test_thin_is_where_no_square_fits():
    label = np.zeros((9, 12), np.uint8)
    label[2:5, 2:5] = 1  # a square of 3
    label[3, 5:10] = 1  # with a handle of 1
    thin = thin_pixels(label, width=3)
    assert not thin[2:5, 2:5].any()
    assert thin[3, 5:10].all()
    assert thin_pixels(label, width=4)[2:5, 2:5].all()


def test_void_is_never_thin():
    label = np.full((9, 9), 255, np.uint8)
    assert not thin_pixels(label, width=3).any()


def test_only_the_pixels_asked_for_are_judged():
    label = np.array([[0, 1], [1, 1]])
    assert share_right(np.array([[0, 1], [0, 0]]), label, label == 1) == pytest.approx(100 / 3)
    assert math.isnan(share_right(label, label, label == 7))


def test_right_by_width_counts_every_thing_pixel_once():
    label = np.zeros((9, 12), np.uint8)
    label[2:5, 2:5] = 1
    label[3, 5:10] = 1
    label[8, :3] = 255
    prediction = label.copy()
    prediction[3, 5:9] = 0  # four of five pixels of the handle are lost
    assert right_by_width([label], [prediction], widths=(2, 3)) == pytest.approx(
        [20, math.nan, 100], nan_ok=True)
    assert right_by_width([label, label], [prediction, label], widths=(4,))[0] == pytest.approx(
        100 * (10 + 14) / 28)
