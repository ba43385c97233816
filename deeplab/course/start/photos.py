"""Figures of "your own pictures": photographs and what a network makes of them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from deeplab.data.colours import overlay
from deeplab.data.labelset import LabelSet
from deeplab.figures.plots import side_by_side


def labelled(image: np.ndarray, prediction: np.ndarray, label_set: LabelSet) -> Figure:
    """A photograph (H, W, 3), the prediction (H, W), and one over the other."""
    return side_by_side({"photograph": image, "prediction": prediction,
                         "overlay": overlay(image, prediction, label_set)}, label_set, height=3.2)
