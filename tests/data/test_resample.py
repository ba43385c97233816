"""Windows of a resized image are parts of the whole one, to the byte."""

import numpy as np
import pytest

from deeplab.data.resample import Resized, nearest_index, resize_image, resize_label


def drawn_case(rng):
    """A random image and label, a size to resize to, and a window in it."""
    old = rng.integers(5, 250, 2)
    new = [(max(1, int(side * rng.uniform(0.4, 2.6))), 2 * side, max(1, side // 2), side)[kind]
           for side, kind in zip(old, rng.choice(4, 2, p=[0.7, 0.1, 0.1, 0.1]), strict=True)]
    window = []
    for length in new:
        start, stop = sorted(rng.integers(0, length + 1, 2))
        window.append(slice(int(min(start, length - 1)), int(max(stop, min(start, length - 1) + 1))))
    image = rng.integers(0, 256, (*old, 3), np.uint8)
    return image, rng.integers(0, 256, old, np.uint8), *map(int, new), tuple(window)


def test_a_window_is_a_part_of_the_whole():
    rng = np.random.default_rng(0)
    for _ in range(300):
        image, label, height, width, window = drawn_case(rng)
        resized = Resized(image, label, height, width)
        np.testing.assert_array_equal(resized.image_window(window),
                                      resize_image(image, height=height, width=width)[window])
        np.testing.assert_array_equal(resized.label_window(window),
                                      resize_label(label, height=height, width=width)[window])


def test_what_lies_below_and_right_of_a_window_is_not_read():
    image, label = np.zeros((100, 120, 3), np.uint8), np.zeros((100, 120), np.uint8)
    window = np.s_[10:40, 20:60]
    dirty = image.copy()
    dirty[52:], dirty[:, 72:] = 255, 255
    assert not Resized(dirty, label, 90, 108).image_window(window).any()
    assert Resized(dirty, label, 90, 108).image_window(np.s_[10:50, 20:60]).any()


@pytest.mark.parametrize("old, new, index", [
    (4, 8, [0, 0, 1, 1, 2, 2, 3, 3]), (5, 3, [0, 1, 3]), (3, 3, [0, 1, 2]), (2, 1, [0])])
def test_the_nearest_source_pixel_by_hand(old, new, index):
    assert nearest_index(old, new).tolist() == index
