"""What a map of limited resolution can still say about a label.

Two measures that need no network: the best prediction that any head could make from cells of
a given size, and the pixels of a label that are thin, on which this matters most.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from deeplab.data.labelset import IGNORE_INDEX
from deeplab.evaluation.upsample import upsampled_argmax


def best_prediction(label: np.ndarray, *, output_stride: int, num_classes: int) -> np.ndarray:
    """The prediction from logits that know each cell's true shares of the classes, (H, W).

    `label` is (H, W) with 255 = void. Each cell of `output_stride` pixels holds the share of
    each class in it; the shares are upsampled and compared as logits are. Hardly any head
    does better from a map as coarse as this.
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
        thin |= (region - cv2.morphologyEx(region, cv2.MORPH_OPEN, square)).astype(bool)
    return thin


def share_right(prediction: np.ndarray, label: np.ndarray, where: np.ndarray) -> float:
    """Per cent of the pixels in `where` (bool, H, W) that are predicted right; NaN if none."""
    return 100 * float((prediction == label)[where].mean()) if where.any() else float("nan")
