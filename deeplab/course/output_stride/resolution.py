"""How much of a label a map of limited resolution can hold, and which pixels are thin.

Two measures that need no network: what the shares of classes in cells of a given size say, and
the pixels of a label that are thin.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from deeplab.evaluation.upsample import upsampled_argmax
from deeplab.support.void import IGNORE_INDEX


def best_prediction(label: np.ndarray, *, output_stride: int, num_classes: int) -> np.ndarray:
    """The prediction from logits that know each cell's true shares of the classes, (H, W).

    `label` is (H, W) with 255 = void. Each cell of `output_stride` pixels holds the share of
    each class in it; the shares are upsampled and compared as logits are. This is no upper
    limit: logits that are fitted to the label place outlines within cells.
    """
    one_hot = np.stack([label == index for index in range(num_classes)])
    shares = F.avg_pool2d(torch.from_numpy(one_hot)[None].float(), output_stride, ceil_mode=True)
    return upsampled_argmax(shares, *label.shape)[0].numpy()


def thin_pixels(label: np.ndarray, *, width: int) -> np.ndarray:
    """Where a class of the label is thinner than `width` pixels: bool (H, W); void is False.

    A pixel is thin when no square of `width` pixels lies over it within its own class.
    """
    square = np.ones((width, width), np.uint8)
    thin = np.zeros(label.shape, bool)
    for index in np.unique(label[label != IGNORE_INDEX]):
        region = (label == index).astype(np.uint8)
        # Opposite corners as anchors: with the middle of an even square the opening would shift.
        corners = cv2.erode(region, square, anchor=(0, 0))
        thin |= region > cv2.dilate(corners, square, anchor=(width - 1, width - 1))
    return thin


def share_right(prediction: np.ndarray, label: np.ndarray, where: np.ndarray) -> float:
    """Per cent of the pixels in `where` (bool, H, W) that are predicted right; NaN if none."""
    return 100 * float((prediction == label)[where].mean()) if where.any() else float("nan")


def right_by_width(labels: Sequence[np.ndarray], predictions: Sequence[np.ndarray], *,
                   widths: Sequence[int], background: int = 0) -> list[float]:
    """Per cent of the pixels of things that are predicted right, from thin parts to wide ones.

    The first number is of parts thinner than `widths[0]` pixels, the next of parts from there
    to `widths[1]`, the last of parts at least `widths[-1]` wide. Void and `background` do not
    count.
    """
    right, counted = np.zeros((2, len(widths) + 1))
    for label, prediction in zip(labels, predictions, strict=True):
        band = np.full(label.shape, len(widths))
        for index, width in reversed(list(enumerate(widths))):
            band[thin_pixels(label, width=width)] = index
        counts = (label != background) & (label != IGNORE_INDEX)
        counted += np.bincount(band[counts], minlength=len(counted))
        right += np.bincount(band[counts & (label == prediction)], minlength=len(right))
    with np.errstate(invalid="ignore"):  # no part of this width: NaN
        return (100 * right / counted).tolist()
