"""Checks of lesson 0: the share of a class, and the cells of a map."""

from collections.abc import Callable, Iterator

import numpy as np

from deeplab.course.exercise import exercise, judged


@exercise("0.1", "Void is in neither part of the fraction.")
def check_class_share(attempt: Callable[[np.ndarray, int], float]) -> Iterator[str | None]:
    """Compare `attempt(label, class_index)` on a small label, also for a class that is absent."""
    label = np.array([[0, 0, 0, 7], [7, 255, 255, 12], [0, 12, 255, 12]], np.uint8)
    counted = label != 255
    for index in (0, 7, 12, 20):
        got = attempt(label.copy(), index)
        wanted = float((label == index)[counted].mean())
        if got is None or np.ndim(got) != 0:
            yield f"Expected one number between 0 and 1; got {got!r}."
        yield judged(got, wanted, (
            (100 * wanted, "That is per cent. A share lies between 0 and 1."),
            ((label == index).mean(), "You divided by all 12 pixels. Three of them are void (255) "
             "and do not count: divide by 9."),
            ((label == index).sum(), "That is the number of pixels. Divide it by the pixels that "
             "count."),
            (1 - wanted, "That is the share of all other classes."),
            ((label == index).sum() / (counted & (label != 0)).sum(), "You left out the pixels "
             "of value 0. In this label 0 is a class like any other; only 255 does not count.")),
            f"Class {index} has {(label == index).sum()} of the 9 pixels that count, a share of "
            f"{wanted:.4f}; got {got:.4f}. Which pixels did you count, and which divide by?")


@exercise("0.2", "A part of a cell at the border is a cell.")
def check_map_size(attempt: Callable[[int, int, int], tuple[int, int]]) -> str | None:
    """Compare `attempt(height, width, output_stride)` for sizes that do and do not divide."""
    for height, width, output_stride in ((96, 128, 16), (85, 113, 16), (513, 321, 8)):
        wanted = -(-height // output_stride), -(-width // output_stride)
        got = attempt(height, width, output_stride)
        asked = f"{height} x {width} pixels at output stride {output_stride}"
        if not isinstance(got, tuple | list) or len(got) != 2:
            return f"Expected a pair (rows, columns); got {got!r}."
        if tuple(got) == wanted:
            continue
        if tuple(got) == wanted[::-1]:
            return f"{asked}: rows and columns have changed places. Height comes first."
        if tuple(got) == (height // output_stride, width // output_stride):
            return (f"{asked}: got {got[0]} x {got[1]}. The pixels left over at the bottom and on "
                    "the right belong to a cell too: round up.")
        if tuple(got) == (height // output_stride + 1, width // output_stride + 1):
            return (f"{asked}: got {got[0]} x {got[1]}. One cell was added even where nothing is "
                    "left over: round up instead.")
        return (f"{asked}: expected {wanted[0]} x {wanted[1]} cells, got {got[0]} x {got[1]}. Each "
                "axis is divided by the output stride and rounded up.")
    return None
