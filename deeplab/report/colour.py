"""A classifier that knows the colour of a pixel and nothing else, and its score.

Every pixel gets the class that was most frequent, over the training pixels, among pixels of
its colour. Nothing is seen of its surroundings. Where such a classifier does well, a
data set does not need a segmentation network.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from deeplab.evaluation.metrics import confusion_matrix
from deeplab.support.void import IGNORE_INDEX

BINS = 16  # per channel: 4096 colours, each seen often enough in a few hundred images


class ColourClassifier:
    """A table from colour to class; `fit` makes one.

    `table` is uint8 (4096,): the class of each bin of `colour_bin`.
    """

    def __init__(self, table: np.ndarray, num_classes: int):
        self.table = table
        self.num_classes = num_classes

    @classmethod
    def fit(cls, dataset: Sequence, num_classes: int) -> Self:
        """The classifier for the pixels of `dataset`, pairs of image and label; void is left out.

        A bin without pixels takes the most frequent class of all.
        """
        counts = np.zeros((BINS ** 3, num_classes), np.int64)
        for index in range(len(dataset)):
            image, label = dataset[index]
            counted = label != IGNORE_INDEX
            np.add.at(counts, (colour_bin(image)[counted], label[counted]), 1)
        table = counts.argmax(1)
        table[counts.sum(1) == 0] = counts.sum(0).argmax()
        return cls(table.astype(np.uint8), num_classes)

    def predict(self, image: np.ndarray) -> np.ndarray:
        """The class of each pixel of an image uint8 (H, W, 3): uint8 (H, W)."""
        return self.table[colour_bin(image)]

    def evaluate(self, dataset: Sequence) -> Tensor:
        """The confusion over all pixels of `dataset` that count: int64 (K, K), rows truth."""
        confusion = torch.zeros(self.num_classes, self.num_classes, dtype=torch.int64)
        for index in range(len(dataset)):
            image, label = dataset[index]
            confusion += confusion_matrix(self.predict(image), label,
                                          num_classes=self.num_classes)
        return confusion


def colour_bin(image: np.ndarray) -> np.ndarray:
    """The bin 0..4095 of each pixel of an image uint8 (H, W, 3): int64 (H, W)."""
    red, green, blue = np.moveaxis(image.astype(np.int64) * BINS // 256, -1, 0)
    return (red * BINS + green) * BINS + blue
