"""mIoU over the pixels near the borders of a label, in a band of any width.

A trimap keeps only the pixels within some distance of a border; mIoU inside it asks how well
a prediction follows outlines, and not whether it finds the inside of things.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from deeplab.evaluation.metrics import confusion_matrix, mean_iou
from deeplab.support.void import IGNORE_INDEX


def border_band(label: np.ndarray, width: int) -> np.ndarray:
    """Where another value of the label lies within `width` pixels: bool (H, W).

    Distances are counted along rows, columns and diagonals alike. Void is a value as well, for
    it is drawn on borders, but void pixels themselves are not in the band.
    """
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    highest, lowest = cv2.dilate(label, square), cv2.erode(label, square)
    return (highest != lowest) & (label != IGNORE_INDEX)


def band_miou(labels: Sequence[np.ndarray], predictions: Sequence[np.ndarray], *, width: int,
              num_classes: int) -> float:
    """mIoU in per cent over the band of `width` pixels in all labels (H, W) together."""
    confusion = sum(confusion_matrix(prediction[band], label[band], num_classes=num_classes)
                    for label, prediction in zip(labels, predictions, strict=True)
                    for band in [border_band(label, width)])
    return mean_iou(confusion)
