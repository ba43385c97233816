"""The checks of lesson 10 pass the right answer and name each usual mistake."""

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from deeplab.course.inference import checks, looks


def windows(length, window, stride):
    last = max(0, length - window)
    return sorted({min(start, last) for start in range(0, last + stride, stride)})


def test_windows_that_end_with_the_image_are_correct():
    assert checks.check_windows(windows).startswith("Exercise 10.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda length, window, stride: list(range(0, length - window, stride)), "never seen"),
    (lambda length, window, stride: list(range(0, length, stride)), "sticks out"),
    (lambda length, window, stride: [*range(0, length - window, stride), length - window],
     "before the image"),
    (lambda length, window, stride: [min(start, max(0, length - window))
                                     for start in range(0, length + stride, stride)], "twice"),
    (lambda length, window, stride: windows(length, window, stride - 1), "Expected [0, 3, 6]"),
    (lambda *given: len(windows(*given)), "Expected a list"),
])
def test_wrong_windows_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_windows(mistake)
    assert "not yet" in verdict and message in verdict


def flipped(predict, image, *, axis=-1):
    return (predict(image) + predict(image.flip(axis)).flip(axis)) / 2


def test_the_mean_with_the_mirrored_view_turned_back_is_correct():
    assert checks.check_flip(flipped).startswith("Exercise 10.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda predict, image: (predict(image) + predict(image.flip(-1))) / 2, "still mirrored"),
    (lambda predict, image: predict(image.flip(-1)).flip(-1), "mirrored view alone"),
    (lambda predict, image: 2 * flipped(predict, image), "That is the sum"),
    (lambda predict, image: flipped(predict, image, axis=-2), "upside down"),
    (lambda predict, image: (predict(image) + predict(image).flip(-1)) / 2, "never saw"),
    (lambda predict, image: predict(image), "plain output"),
    (lambda predict, image: flipped(predict, image).argmax(1), "Expected logits"),
    (lambda predict, image: 3 * predict(image), "in the first cell"),
    (lambda predict, image: torch.maximum(predict(image), predict(image.flip(-1)).flip(-1)),
     "the larger of the two"),
    (lambda predict, image: (predict(image) + predict(image.flip(-1)).flip(-1, -2)) / 2,
     "Rows were turned round"),
    (lambda predict, image: predict(image.flip(9)), "raised IndexError"),
    (lambda predict, image: None, "got None"),
])
def test_a_wrong_flip_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_flip(mistake)
    assert "not yet" in verdict and message in verdict


def band(label, width):
    found = np.zeros(label.shape, bool)
    height, length = label.shape
    padded = np.pad(label, width, mode="edge")
    for row in range(2 * width + 1):
        for column in range(2 * width + 1):
            found |= padded[row:row + height, column:column + length] != label
    return found & (label != 255)


def cross(label, width):
    kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (2 * width + 1, 2 * width + 1))
    return (cv2.dilate(label, kernel) != cv2.erode(label, kernel)) & (label != 255)


def rolled(label, width):
    steps = range(-width, width + 1)
    found = [np.roll(label, (row, column), (0, 1)) != label for row in steps for column in steps]
    return np.any(found, 0) & (label != 255)


def framed(label, width):
    """The label is padded with zeros."""
    return band(np.pad(label, width), width)[width:-width, width:-width]


def not_beside_void(label, width):
    """As if void were no value."""
    known = np.where(label == 255, 0, label).astype(np.uint8)
    other = np.where(label == 255, 99, label).astype(np.uint8)
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    highest = cv2.dilate(known, square)
    return (highest != cv2.erode(other, square)) & (label != 255)


def one_sided(label, width):
    return (cv2.dilate(label, np.ones((2 * width + 1, 2 * width + 1), np.uint8)) != label) & (
        label != 255)


@pytest.mark.parametrize("kind", [lambda found: found, lambda found: 255 * found.astype(np.uint8)],
                         ids=["bool", "255"])
def test_a_band_on_both_sides_without_void_is_correct(kind):
    verdict = checks.check_band(lambda *given: kind(band(*given)))
    assert verdict.startswith("Exercise 10.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda label, width: band(np.where(label == 255, 99, label).astype(np.uint8), width),
     "void pixels do not count"),
    (lambda label, width: ~band(label, width) & (label != 255), "everything but the band"),
    (lambda label, width: band(label, width - 1), "a band of 0"),
    (lambda label, width: band(label, width + 1), "a band of 2"),
    (cross, "rows and columns only"),
    (one_sided, "pixels are missing"),
    (rolled, "meets the opposite one"),
    (framed, "the frame of the image"),
    (not_beside_void, "255 is another value too"),
    (lambda label, width: np.where(band(label, width), label, 0), "not its class"),
    (lambda label, width: np.ones(label.shape, bool) & (label != 255), "pixels are too many"),
    (lambda label, width: int(band(label, width).sum()), "Expected an array"),
])
def test_a_wrong_band_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_band(mistake)
    assert "not yet" in verdict and message in verdict


def error(confidence, right, *, signed=False, equal=False, bins=10):
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps, weights = [], []
    for one in np.unique(index):
        gap = confidence[index == one].mean() - right[index == one].mean()
        gaps.append(gap if signed else abs(gap))
        weights.append(1 if equal else (index == one).sum())
    return abs(float(np.average(gaps, weights=weights)))


def test_gaps_weighed_by_pixels_are_correct():
    assert checks.check_calibration_error(error).startswith("Exercise 10.4: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda sure, right: abs(sure.mean() - right.mean()), "two means"),
    (lambda sure, right: error(sure, right, equal=True), "Each bin counted the same"),
    (lambda sure, right: float(np.abs(sure - right).mean()), "pixel by pixel"),
    (lambda sure, right: 100 * error(sure, right), "per cent"),
    (lambda sure, right: error(sure[sure < 1], right[sure < 1]), "exactly 1 got lost"),
    (lambda sure, right: error(sure[sure < 1], right[sure < 1]) * np.mean(sure < 1),
     "exactly 1 got lost"),
    (lambda sure, right: 1 - right.mean(), "wrong pixels"),
    (lambda sure, right: float(np.square(sure - right).mean()), "Brier score"),
    (lambda sure, right: [0.1] * 10, "one for each bin"),
    (lambda sure, right: error(sure, right, bins=3), "Ten bins"),
    (lambda sure, right: float("nan"), "Empty bins"),
    (lambda sure, right: None, "got None"),
])
def test_a_wrong_error_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_calibration_error(mistake)
    assert "not yet" in verdict and message in verdict


def many_looks(model, image, height, width, scales, flip):
    outputs = []
    for scale in scales:
        view = F.interpolate(image, scale_factor=scale, mode="bilinear")
        outputs.append(model(view).main)
        if flip:
            outputs.append(model(view.flip(-1)).main.flip(-1))
    return sum(F.interpolate(output, (height, width), mode="bilinear")
               for output in outputs) / len(outputs)


def many_sizes(model, image, height, width, scales, flip):
    """As good: the rounded size of a view, not a factor."""
    return looks.several_looks(model, image, scales=scales, flip=flip,
                               of_size=looks.VIEW).mean(
        0, keepdim=True) if (height, width) == looks.SIZE else many_looks(
            model, image, height, width, scales, flip)


@pytest.mark.parametrize("right", [many_looks, many_sizes])
def test_mean_logits_of_all_looks_are_correct(right):
    assert checks.check_looks(right).startswith("Exercise 10.5: correct.")


def wrong(**changes):
    """The looks by hand with a usual mistake."""
    return lambda model, image, height, width, scales, flip: looks.several_looks(
        model, image, scales=scales, flip=flip, **changes).mean(0, keepdim=True)


def without(part):
    """The looks by hand, of which `part` makes one."""
    return lambda model, image, height, width, scales, flip: part(
        looks.several_looks(model, image, scales=scales, flip=flip))


@pytest.mark.parametrize(("mistake", "message"), [
    (wrong(softmax=True), "averaged probabilities"),
    (wrong(turned_back=False), "still mirrored"),
    (wrong(resize=[{"mode": "bilinear", "align_corners": True}] * 2), "align_corners=True"),
    (wrong(resize=[{"mode": "nearest"}] * 2), "nearest neighbour"),
    (wrong(resize=[{"mode": "nearest"}, looks.BILINEAR]), "nearest neighbour"),
    (wrong(of_size=looks.SIZE), "scaled from its own size"),
    (wrong(first_to=looks.MAP), "size of one of them"),
    (wrong(first_to=looks.VIEW), "what the network sees; go straight"),
    (without(lambda each: each.sum(0, keepdim=True)), "that is the sum"),
    (without(lambda each: each.amax(0, keepdim=True)), "the largest of the looks"),
    (without(lambda each: each[-1:]), "last look alone"),
    (without(lambda each: each.mean(0).argmax(0)), "not classes"),
    (lambda *given: many_looks(*given[:5], False), "mirrored looks are missing"),
    (lambda *given: many_looks(*given[:5], True), "nothing is mirrored"),
    (lambda *given: many_looks(*given[:2], *looks.VIEW, *given[4:]), "size of what the network"),
    (lambda *given: many_looks(*given[:4], (1.0,), given[5]), "these are not the mean logits"),
    (lambda *given: many_looks(*given[:2], *looks.SIZE, *given[4:]), "Expected (1, 21"),
    (lambda *given: many_looks(*given)[9], "raised IndexError"),
    (without(lambda each: each[1::2].mean(0, keepdim=True) if len(each) > 3 else
             each.mean(0, keepdim=True)), "only the mirrored ones"),
    (lambda *given: None, "got NoneType"),
])
def test_wrong_looks_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_looks(mistake)
    assert "correct" not in verdict and message in verdict, verdict


def test_the_small_network_gives_the_cells_that_the_mistakes_assume():
    assert looks.SmallNetwork()(looks.view()).main.shape[-2:] == looks.MAP
