"""Labels in colour: in the palette of their classes, alone or laid over the image."""

import numpy as np

from deeplab.data.labelset import LabelSet
from deeplab.support.void import IGNORE_INDEX, VOID_GREY


def label_colours(label: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """A label or prediction (H, W) in the palette of its set: uint8 (H, W, 3).

    Every value that is no class, 255 among them, becomes `VOID_GREY`.
    """
    table = np.full((IGNORE_INDEX + 1, 3), VOID_GREY, np.uint8)
    table[:label_set.num_classes] = label_set.palette
    return table[np.asarray(label)]


def overlay(image: np.ndarray, label: np.ndarray, label_set: LabelSet,
            opacity: float = 0.6) -> np.ndarray:
    """The image uint8 (H, W, 3) with the label's colours laid over it; 0 shows the image alone."""
    mixed = (1 - opacity) * np.asarray(image, np.float32)
    return np.round(mixed + opacity * label_colours(label, label_set)).astype(np.uint8)
