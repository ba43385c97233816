"""Class numbers inside labels in colour: some classes have colours that look alike."""

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from deeplab.data.labelset import LabelSet

NUMBERED = 0.0033  # of a label's pixels; smaller pieces of a class get no number


def number_pieces(axes: Axes, label: np.ndarray, label_set: LabelSet, *,
                  left: float = 0, top: float = 0) -> None:
    """Write its number into each larger piece of a class in a label (H, W), where it is widest.

    Void and a class named "background" get none. `left` and `top` are the place of the first
    pixel in `axes`.
    """
    for index in np.unique(label[label < label_set.num_classes]):
        if label_set.classes[index] == "background":
            continue
        _, pieces, facts, _ = cv2.connectedComponentsWithStats((label == index).astype(np.uint8))
        areas = facts[1:, cv2.CC_STAT_AREA]
        for piece in 1 + np.flatnonzero(areas >= NUMBERED * label.size):
            padded = np.pad((pieces == piece).astype(np.uint8), 1)
            inner = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
            row, column = np.unravel_index(inner.argmax(), inner.shape)
            axes.text(left + column, top + row, str(index), ha="center", va="center", fontsize=7,
                      color="white", path_effects=[withStroke(linewidth=1.5, foreground="black")])
