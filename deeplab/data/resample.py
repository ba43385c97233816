"""Resize an image and its label, as a whole or only the window that a crop needs.

Bilinear without antialiasing for images, nearest neighbour for labels, both by OpenCV's
rules (upstream: ssseg/modules/datasets/pipelines/transforms.py, `Resize`). Images are uint8
(H, W, 3), labels uint8 (H, W).
"""

from dataclasses import dataclass

import cv2
import numpy as np

cv2.setNumThreads(0)  # workers and ranks are the parallelism here; OpenCV's threads fight them


def resized_size(height: int, width: int, *, target: tuple[int, int],
                 scale: float = 1.0) -> tuple[int, int]:
    """Size (height, width) in pixels that fits an image into `target`, keeping its shape.

    `target` is (long, short) in pixels, and is scaled first and cut to whole pixels, as
    upstream does. Whichever side is reached first limits.

    >>> resized_size(375, 500, target=(2048, 512))
    (512, 683)
    """
    long, short = int(max(target) * scale), int(min(target) * scale)
    factor = min(long / max(height, width), short / min(height, width))
    return max(1, int(height * factor + 0.5)), max(1, int(width * factor + 0.5))


def resize_image(image: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """The image at another size: bilinear, without antialiasing, as in the recipe."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)


def resize_label(label: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """The label at another size: nearest neighbour by OpenCV's rule, floor(i * old / new)."""
    return cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST)


@dataclass(frozen=True)
class Resized:
    """An image and its label as they would be at (height, width), read window by window.

    A window is a pair of slices in the resized image. Windows are parts of `resize_image` and
    `resize_label` to the byte, whose rounding depends on the distance to the first row and
    column: image windows are therefore cut from what lies above and left of their end.
    """

    image: np.ndarray
    label: np.ndarray
    height: int  # pixels after resizing
    width: int

    def label_window(self, window: tuple[slice, slice]) -> np.ndarray:
        """A part of the resized label; no other rows and columns are read."""
        rows, columns = (
            nearest_index(old, new)[part] for old, new, part in
            zip(self.label.shape, (self.height, self.width), window, strict=True))
        return self.label[:, columns[0]:columns[-1] + 1].take(rows, 0).take(
            columns - columns[0], 1)

    def image_window(self, window: tuple[slice, slice]) -> np.ndarray:
        """A part of the resized image; nothing below it and to its right is read."""
        sides = list(zip(self.image.shape[:2], (self.height, self.width), window, strict=True))
        rows, columns = (slice(_needed(old, new, part.stop)) for old, new, part in sides)
        down, across = (new / old for old, new, _ in sides)
        return cv2.resize(self.image[rows, columns], None, fx=across, fy=down,
                          interpolation=cv2.INTER_LINEAR)[window]


def nearest_index(old: int, new: int) -> np.ndarray:
    """The source pixel of each pixel when an axis goes from `old` to `new` pixels: int64 (new,).

    OpenCV itself is asked, so that its rounding is met exactly.
    """
    places = np.arange(old, dtype=np.float32)[None]  # whole numbers are exact below 2^24
    return cv2.resize(places, (new, 1), interpolation=cv2.INTER_NEAREST)[0].astype(np.int64)


def _needed(old: int, new: int, stop: int) -> int:
    """Source pixels needed for the first `stop` of an axis that goes from `old` to `new`.

    Pixel i lies at (i + 1/2) * old / new - 1/2, between two source pixels; one more keeps the
    end of the cut, where the last pixel is repeated, out of the window.
    """
    return old if stop == new else min(old, int((stop - 0.5) * old / new + 0.5) + 2)
