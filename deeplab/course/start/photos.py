"""Figures of "your own pictures": photographs and what a network makes of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from deeplab.data.colours import label_colours, overlay
from deeplab.data.labelset import LabelSet
from deeplab.figures.plots import class_legend, classes_by_area, figure, house_style, picture


@house_style
def labelled(image: np.ndarray, prediction: np.ndarray, label_set: LabelSet) -> Figure:
    """A photograph (H, W, 3), the prediction (H, W), and one over the other."""
    fig = figure(3.2)
    axes = fig.subplots(1, 3)
    picture(axes[0], image, "photograph", is_photo=True)
    picture(axes[1], label_colours(prediction, label_set), "prediction")
    picture(axes[2], overlay(image, prediction, label_set), "overlay", is_photo=True)
    class_legend(fig, classes_by_area([prediction], label_set), label_set)
    return fig


@house_style
def compared(predictions: Mapping[str, np.ndarray], label_set: LabelSet) -> Figure:
    """Predictions side by side, each below its title."""
    fig = figure(2.9)
    for axes, (title, prediction) in zip(np.atleast_1d(fig.subplots(1, len(predictions))),
                                         predictions.items()):
        picture(axes, label_colours(prediction, label_set), title)
    class_legend(fig, classes_by_area(predictions.values(), label_set), label_set)
    return fig
