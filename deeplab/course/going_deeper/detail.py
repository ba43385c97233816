"""How much of a drawn picture a map can hold when each cell says one class."""

from collections.abc import Iterable

import numpy as np

from deeplab.data.catalog import SegmentationDataset
from deeplab.miniature.twins import miniature
from deeplab.support.void import IGNORE_INDEX

ENLARGED = 4  # times a drawn picture, to the size of a photograph of VOC: 384 x 512 pixels


def enlarged_label(index: int) -> np.ndarray:
    """The label of image `index` of the drawn VOC's val split, uint8 (384, 512)."""
    label = SegmentationDataset("voc", miniature("voc"), "val")[index][1]
    return label.repeat(ENLARGED, 0).repeat(ENLARGED, 1)


def cell_votes(label: np.ndarray, output_stride: int) -> np.ndarray:
    """The class that most pixels of each cell have, (ceil(H / os), ceil(W / os)).

    Void has no vote; it is only the answer of a cell that holds nothing else.
    """
    height, width = label.shape
    padding = [(0, -side % output_stride) for side in (height, width)]
    cells = np.pad(label, padding, constant_values=IGNORE_INDEX)
    cells = cells.reshape(-(-height // output_stride), output_stride, -1, output_stride)
    classes = np.unique(label[label != IGNORE_INDEX])
    if not len(classes):
        return np.full(cells.shape[::2], IGNORE_INDEX, np.uint8)
    votes = np.stack([(cells == index).sum((1, 3)) for index in classes])
    return np.where(votes.max(0) > 0, classes[votes.argmax(0)], IGNORE_INDEX).astype(np.uint8)


def spread(votes: np.ndarray, output_stride: int, shape: tuple[int, int]) -> np.ndarray:
    """Each cell's class at all of its pixels, (H, W) of `shape`."""
    return votes.repeat(output_stride, 0).repeat(output_stride, 1)[:shape[0], :shape[1]]


def things_right(labels: Iterable[np.ndarray], output_stride: int) -> float:
    """Per cent of the pixels of things (neither background nor void) whose cell says their class.

    Not the best that a network could do, see lesson 3; it says how fine the map is.
    """
    right = counted = 0
    for label in labels:
        thing = (label != 0) & (label != IGNORE_INDEX)
        said = spread(cell_votes(label, output_stride), output_stride, label.shape)
        right, counted = right + (said == label)[thing].sum(), counted + thing.sum()
    return 100 * float(right / counted)
