"""Bands along borders, and mIoU inside them, by hand and by a plain search."""

import numpy as np
import pytest

from deeplab.course.inference.trimap import band_miou, border_band


def test_a_straight_border_has_a_band_on_both_sides():
    label = np.zeros((3, 8), np.uint8)
    label[:, 4:] = 7
    assert border_band(label, 1)[1].tolist() == [False] * 3 + [True] * 2 + [False] * 3
    assert border_band(label, 3).sum(1).tolist() == [6, 6, 6]


def test_void_makes_a_border_but_is_not_in_the_band():
    label = np.zeros((1, 7), np.uint8)
    label[0, 3] = 255
    assert border_band(label, 1)[0].tolist() == [False, False, True, False, True, False, False]


def test_the_band_is_what_a_search_around_every_pixel_finds():
    label = np.random.default_rng(0).choice([0, 1, 255], (12, 9), p=[0.9, 0.07, 0.03])
    label = label.astype(np.uint8)
    for width in (1, 2):
        for row in range(12):
            for column in range(9):
                around = label[max(0, row - width):row + width + 1,
                               max(0, column - width):column + width + 1]
                wanted = label[row, column] != 255 and (around != label[row, column]).any()
                assert border_band(label, width)[row, column] == wanted


def test_miou_counts_only_the_band_of_all_labels_together():
    label = np.zeros((4, 10), np.uint8)
    label[:, 5:] = 1
    shifted = np.zeros_like(label)
    shifted[:, 6:] = 1  # one column of the band of two is wrong
    wrong_far = label.copy()
    wrong_far[:, 0] = 1  # outside the band
    assert band_miou([label], [wrong_far], width=1, num_classes=2) == 100
    # 4 of 4 pixels of class 0 found, 4 taken for it: 1/2; class 1: 0 of 4
    assert band_miou([label], [shifted], width=1, num_classes=2) == pytest.approx(25)
    # with a perfect second image: class 0 is 8 of 12, class 1 is 4 of 8
    assert band_miou([label, label], [shifted, label], width=1,
                     num_classes=2) == pytest.approx(100 * (8 / 12 + 4 / 8) / 2)
