"""The checks of lesson 0 pass the right answer and name each usual mistake."""

import numpy as np
import pytest

from deeplab.course.start import checks


def test_the_share_among_counted_pixels_is_correct():
    verdict = checks.check_class_share(lambda label, index: (label[label != 255] == index).mean())
    assert verdict.startswith("Exercise 0.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda label, index: (label == index).mean(), "divide by 9"),
    (lambda label, index: 100 * (label[label != 255] == index).mean(), "per cent"),
    (lambda label, index: (label == index).sum(), "the number of pixels"),
    (lambda label, index: 0.25, "a share of 0.4444; got 0.2500. Which pixels"),
    (lambda label, index: 1 - (label[label != 255] == index).mean(), "all other classes"),
    (lambda label, index: (label == index).sum() / np.isin(label, (7, 12)).sum(), "of value 0"),
    (lambda label, index: sum(label == index) / 9, "one number"),
    (lambda label, index: label[99], "raised IndexError"),
    (lambda label, index: print(end=""), "one number"),
])
def test_wrong_shares_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_class_share(mistake)
    assert "not yet" in verdict and message in verdict


def test_rounding_up_is_correct():
    verdict = checks.check_map_size(lambda height, width, stride: (-(-height // stride),
                                                                   -(-width // stride)))
    assert verdict.startswith("Exercise 0.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda height, width, stride: (height // stride, width // stride), "round up"),
    (lambda height, width, stride: (width // stride, height // stride), "changed places"),
    (lambda height, width, stride: (round(height / stride), round(width / stride)), "round up"),
    (lambda height, width, stride: (height, width), "divided by the output stride"),
    (lambda height, width, stride: (height // stride + 1, width // stride + 1),
     "nothing is left over"),
    (lambda height, width, stride: height * width // stride ** 2, "a pair"),
])
def test_wrong_map_sizes_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_map_size(mistake)
    assert "not yet" in verdict and message in verdict
