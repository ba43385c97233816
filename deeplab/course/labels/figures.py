"""Pictures of lesson 1: the numbers in a label file, a confusion matrix read, scores compared."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deeplab.data.catalog import SegmentationDataset
from deeplab.data.colours import label_colours
from deeplab.data.labelset import LabelSet
from deeplab.evaluation.metrics import class_iou, confusion_matrix, mean_iou, pixel_accuracy
from deeplab.figures.plots import (BLUE, GREY, LINES, ORANGE, class_legend, classes_by_area,
                                   figure, finish, house_style, picture, side_by_side, subplots)
from deeplab.miniature.twins import miniature
from deeplab.support.plain import figure_text
from deeplab.support.void import IGNORE_INDEX

OPENING_IMAGE = 31  # of the drawn VOC's val split: a small boat, mostly background
SWELL = 13  # pixels; things grown by half of it are wrong more often than nothing at all
BLACK_TEXT = 110  # mean of RGB from which black reads better than white


class Answer(NamedTuple):
    """A prediction (H, W) and its two scores, in per cent."""

    prediction: np.ndarray
    accuracy: float
    miou: float


def two_answers() -> tuple[Answer, Answer]:
    """Two bad answers to one picture: nothing found, and everything found but swollen."""
    dataset = _drawn()
    label = dataset[OPENING_IMAGE][1]
    things = np.where(label == IGNORE_INDEX, 0, label)
    swollen = cv2.dilate(things, np.ones((SWELL, SWELL), np.uint8))
    confusions = [confusion_matrix(prediction, label, num_classes=dataset.label_set.num_classes)
                  for prediction in (np.zeros_like(label), swollen)]
    nothing, everything = (Answer(prediction, pixel_accuracy(confusion), mean_iou(confusion))
                           for prediction, confusion in
                           zip((np.zeros_like(label), swollen), confusions, strict=True))
    return nothing, everything


def opening() -> Figure:
    """The picture, its label and the two answers with their scores."""
    dataset = _drawn()
    image, label = dataset[OPENING_IMAGE]
    answers = {f"{name}: {one.accuracy:.0f} % of pixels right,\nmIoU {one.miou:.0f} %":
               one.prediction for name, one in zip("AB", two_answers(), strict=True)}
    return side_by_side({"image\n": image, "label\n": label, **answers}, dataset.label_set,
                        height=2.7)


def opening_words() -> str:
    """What `opening` shows, in words."""
    dataset = _drawn()
    found = classes_by_area([dataset[OPENING_IMAGE][1]], dataset.label_set)
    a, b = two_answers()
    return (f"A picture of {', '.join(dataset.label_set.classes[index] for index in found)}, its "
            f"label, and two predictions. A finds nothing: {a.accuracy:.0f} % of the pixels right, "
            f"mIoU {a.miou:.0f} %. B finds all things, swollen: {b.accuracy:.0f} %, mIoU "
            f"{b.miou:.0f} %.")


def _drawn() -> SegmentationDataset:
    return SegmentationDataset("voc", miniature("voc"), "val")


@house_style
def numbers(values: Mapping[str, np.ndarray], label_set: LabelSet) -> Figure:
    """Small pieces (h, w) of label files by title: every value written into its own square.

    Values are train ids or 255; the squares have the colours of `label_set`.
    """
    height, width = next(iter(values.values())).shape
    fig = figure(9 / len(values) * height / width + 0.9)
    for ax, (title, piece) in zip(np.atleast_1d(fig.subplots(1, len(values))), values.items(),
                                  strict=True):
        colours = label_colours(piece, label_set)
        picture(ax, colours, title)
        for (row, column), value in np.ndenumerate(piece):
            ax.text(column, row, value, ha="center", va="center", fontsize=9,
                    color="black" if colours[row, column].mean() >= BLACK_TEXT else "white")
    class_legend(fig, values.values(), label_set)
    return fig


@house_style
def matrix(confusion: Tensor, names: Sequence[str], *, chosen: int) -> Figure:
    """A small confusion matrix with its numbers, and what the IoU of one class reads from it."""
    size = len(names)
    fig, axes = subplots(3.6, width=6.5)
    axes.imshow(np.ones((size, size)), cmap="Greys", vmin=0, vmax=4)
    for (row, column), count in np.ndenumerate(confusion.numpy()):
        on_cross = chosen in (row, column)
        axes.text(column, row, count, ha="center", va="center", fontsize=14,
                  color="black" if on_cross else GREY,
                  weight="bold" if row == column == chosen else "normal")
    for corner, shape, colour, text in (
            ((-0.45, chosen - 0.45), (size - 0.1, 0.9), BLUE, "the row: its pixels in truth"),
            ((chosen - 0.45, -0.45), (0.9, size - 0.1), ORANGE, "the column: predicted so")):
        axes.add_patch(Rectangle(corner, *shape, fill=False, edgecolor=colour, linewidth=3,
                                 label=text))
    hit = int(confusion[chosen, chosen])
    either = int(confusion[chosen].sum() + confusion[:, chosen].sum()) - hit
    finish(axes, xticks=range(size), yticks=range(size), xticklabels=names, yticklabels=names,
           xlabel="prediction", ylabel="truth", grid="",
           title=f"IoU of {names[chosen]}: {hit} of {either} pixels on the cross")
    return fig


@house_style
def scores(confusions: Mapping[str, Tensor]) -> Figure:
    """Pixel accuracy and mIoU of several predictors side by side, in per cent."""
    fig, axes = subplots(0.55 * len(confusions) + 1.4)
    places = np.arange(len(confusions))
    for offset, measure, text, colour in ((-0.19, pixel_accuracy, "pixel accuracy", GREY),
                                          (0.19, mean_iou, "mIoU", BLUE)):
        bars = axes.barh(places + offset, [measure(one) for one in confusions.values()], 0.36,
                         color=colour, label=text)
        axes.bar_label(bars, fmt="%.1f", padding=3)
    finish(axes, yticks=places, yticklabels=list(confusions), xlim=(0, 108), xlabel="per cent",
           ylim=(len(confusions) - 0.5, -0.5), grid="")
    return fig


@house_style
def class_scores(confusions: Mapping[str, Tensor], label_set: LabelSet) -> Figure:
    """IoU of each class that occurs, one marker per predictor, ordered by the first."""
    ious = {name: 100 * class_iou(confusion) for name, confusion in confusions.items()}
    first = next(iter(ious.values()))
    order = [int(index) for index in first.argsort(descending=True) if not first[index].isnan()]
    fig, axes = subplots(0.23 * len(order) + 1.2)
    places = np.arange(len(order))
    for (name, values), colour, mark in zip(ious.items(), (ORANGE, BLUE, *LINES), "soD^v",
                                            strict=False):
        axes.plot(values[order], places, mark, color=colour, label=name, linestyle="none")
    finish(axes, yticks=places,
           yticklabels=[figure_text(label_set.classes[index]) for index in order],
           xlim=(-2, 102), ylim=(len(order) - 0.4, -0.6), xlabel="IoU (per cent)", grid="both")
    return fig
