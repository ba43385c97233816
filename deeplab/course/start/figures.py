"""Pictures of lesson 0: what is asked of a network, how it learns, its few cells."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from deeplab.data.catalog import SegmentationDataset
from deeplab.data.colours import overlay
from deeplab.data.labelset import LabelSet
from deeplab.evaluation.upsample import upsampled_argmax
from deeplab.figures.plots import (GREY, class_legend, house_style, label_picture, note, picture,
                                   side_by_side, subplots)
from deeplab.miniature.twins import miniature

OPENING_IMAGES = (3, 14, 13, 44)  # of the drawn VOC's val split: sea, street, room, farm


@house_style
def opening() -> Figure:
    """Four drawn pictures, and below each the class of every pixel."""
    dataset = SegmentationDataset("voc", miniature("voc"), "val")
    pairs = [dataset[index] for index in OPENING_IMAGES]
    fig, axes = subplots(4.4, 2, len(pairs))
    for column, (image, label) in enumerate(pairs):
        picture(axes[0, column], image)
        label_picture(axes[1, column], label, dataset.label_set)
    class_legend(fig, [label for _, label in pairs], dataset.label_set, limit=17)
    return fig


@house_style
def losses(values: Sequence[float], *, num_classes: int) -> Figure:
    """The loss of each step, and the loss of one who gives all classes the same probability."""
    fig, axes = subplots(2.6, width=7)
    axes.plot(range(len(values)), values)
    level = float(np.log(num_classes))
    axes.axhline(level, color=GREY, linestyle="--", linewidth=1)
    note(axes, f"all {num_classes} classes alike: {level:.2f}", (len(values) - 1, level), 0, 4,
         ha="right")
    axes.set(xlabel="step", ylabel="loss, mean over pixels", ylim=(0, 1.15 * max(*values, level)))
    return fig


def labelled(image: np.ndarray, prediction: np.ndarray, label_set: LabelSet) -> Figure:
    """A photograph (H, W, 3) of one's own, the prediction (H, W), and one over the other."""
    return side_by_side({"photograph": image, "prediction": prediction,
                         "overlay": overlay(image, prediction, label_set)}, label_set, height=3.2)


@house_style
def cells_to_pixels(image: np.ndarray, logits: Tensor, label_set: LabelSet) -> Figure:
    """An image (H, W, 3), the best class of each cell of logits (1, K, h, w), and of each pixel.

    The grid on the image is that of the cells.
    """
    height, width = image.shape[:2]
    rows, columns = logits.shape[-2:]
    cells = logits.argmax(1)[0].numpy()
    pixels = upsampled_argmax(logits, height, width)[0].numpy()
    fig, (left, middle, right) = subplots(3.3, 1, 3)
    picture(left, image, f"{height} x {width} pixels, to be named")
    for row in range(1, rows):
        left.axhline(row * height / rows - 0.5, color="white", linewidth=0.7)
    for column in range(1, columns):
        left.axvline(column * width / columns - 0.5, color="white", linewidth=0.7)
    label_picture(middle, cells, label_set, f"{rows} x {columns} cells inside")
    middle.set_aspect((height / rows) / (width / columns))
    label_picture(right, pixels, label_set, f"{height} x {width} pixels, named")
    class_legend(fig, [pixels, cells], label_set)
    return fig
