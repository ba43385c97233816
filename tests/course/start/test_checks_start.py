"""The checks of lesson 0 pass the right answer and name each usual mistake."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Patch

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


def blended(image, label, palette, share=0.6, void=False):
    table = np.zeros((256, 3))
    table[:len(palette)] = palette
    mixed = np.round((1 - share) * image + share * table[label]).astype(np.uint8)
    if not void:
        mixed[label == 255] = image[label == 255]
    return mixed


def outlined(mixed, label, colour=255):
    mixed[:, :-1][label[:, :-1] != label[:, 1:]] = colour
    mixed[:-1][label[:-1] != label[1:]] = colour
    return mixed


def figure_of(pixels, names, colours):
    fig = Figure()
    fig.subplots().imshow(pixels)
    fig.legend(handles=[Patch(color=colour, label=name)
                        for name, colour in zip(names, colours)])
    return fig


def shown(pixels, label, names, palette, *, order=1, scale=255):
    counts = np.bincount(label[label != 255], minlength=len(names))
    used = [index for index in np.argsort(-order * counts, kind="stable") if counts[index]]
    return figure_of(pixels, [names[index] for index in used],
                     [np.array(palette[index]) / scale for index in used])


def overlay(image, label, names, palette):
    return shown(outlined(blended(image, label, palette), label), label, names, palette)


def in_place(image, label, names, palette):
    image[:] = outlined(blended(image, label, palette), label)
    return shown(image, label, names, palette)


def without_legend(image, label, names, palette):
    fig = Figure()
    fig.subplots().imshow(outlined(blended(image, label, palette), label))
    return fig


def test_an_overlay_with_outlines_and_the_legend_of_what_occurs_is_correct():
    assert checks.check_overlay(overlay).startswith("Exercise 0.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda image, label, names, palette: image, "got ndarray"),
    (in_place, "changed what it was given"),
    (lambda image, label, names, palette: shown(outlined(outlined(blended(
        image, label, palette), label)[::-1, ::-1], label[::-1, ::-1])[::-1, ::-1], label, names,
        palette), "two pixels wide"),
    (lambda image, label, names, palette: shown(
        outlined(blended(image, label, palette), label) / 255, label, names, palette),
     "given float64"),
    (lambda image, label, names, palette: shown(
        outlined(blended(image, label, palette, 0.4), label), label, names, palette),
     "changed places"),
    (lambda image, label, names, palette: shown(
        outlined(blended(image, label, palette, 1), label), label, names, palette),
     "picture is gone"),
    (lambda image, label, names, palette: shown(
        outlined(image.copy(), label), label, names, palette), "Do you round"),
    (lambda image, label, names, palette: shown(
        outlined(blended(image, label, palette, void=True), label), label, names, palette),
     "Void is coloured"),
    (lambda image, label, names, palette: shown(
        blended(image, label, palette), label, names, palette), "must be white"),
    (without_legend, "There is no legend"),
    (lambda image, label, names, palette: figure_of(
        outlined(blended(image, label, palette), label), names, np.array(palette) / 255),
     "does not."),
    (lambda image, label, names, palette: shown(
        outlined(blended(image, label, palette), label), label, names, palette, order=-1),
     "Largest area first"),
    (lambda image, label, names, palette: shown(
        outlined(blended(image, label, palette), label), label, names, palette, scale=510),
     "In the legend"),
    (lambda image, label, names, palette: palette[label], "raised TypeError"),
])
def test_wrong_overlays_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_overlay(mistake)
    assert "not yet" in verdict and message in verdict
