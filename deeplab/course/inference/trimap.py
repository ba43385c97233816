"""mIoU over the pixels near the borders of a label, in a band of any width.

A trimap keeps only the pixels within some distance of a border; mIoU inside it asks how well
a prediction follows outlines, and not whether it finds the inside of things.
"""

import itertools
from collections.abc import Iterator, Sequence

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


def wrong_bands(label: np.ndarray, width: int) -> Iterator[tuple[np.ndarray, str]]:
    """Bands, bool (H, W), that usual mistakes find, and what to say of them."""
    steps = range(-width, width + 1)
    square = list(itertools.product(steps, repeat=2))
    yield (_compared(label, width, [place for place in square if 0 in place]),
           "you looked along rows and columns only; a pixel whose diagonal neighbour differs is in "
           "the band as well.")
    yield (_compared(label, width, square, mode="constant"),
           "the frame of the image is in your band: beyond the image lies nothing that could "
           "differ, least of all class 0.")
    yield (_compared(label, width, square, mode="wrap"),
           "one edge of the image meets the opposite one.")
    yield (_compared(label, width, square, beside_void=False),
           "255 is another value too: what lies beside void is in the band.")
    for wrong in (width - 1, width + 1):
        yield border_band(label, wrong), f"that is a band of {wrong}."


def _compared(label: np.ndarray, width: int, places: Sequence[tuple[int, int]], *,
              mode: str = "edge", beside_void: bool = True) -> np.ndarray:
    """Where a neighbour at one of `places` differs; `mode` of `np.pad` is what lies beyond."""
    padded, (rows, columns) = np.pad(label, width, mode=mode), label.shape
    found = np.zeros(label.shape, bool)
    for down, across in places:
        other = padded[width + down:width + down + rows, width + across:width + across + columns]
        found |= (label != other) & (beside_void | (other != IGNORE_INDEX))
    return found & (label != IGNORE_INDEX)
