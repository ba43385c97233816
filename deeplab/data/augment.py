"""The training recipe's augmentation, step by step; every step is a pure function.

Order: resize, crop, flip, photometric distortion, normalise, pad (upstream:
ssseg/modules/datasets/pipelines/transforms.py). Images are uint8 (H, W, 3) RGB and labels
uint8 (H, W) train ids; a step that draws takes the random generator it draws from.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from deeplab.data.labelset import IGNORE_INDEX

# Mean and deviation of ImageNet's training images, RGB, on the scale 0..255
MEAN = np.array((123.675, 116.28, 103.53), np.float32)
STD = np.array((58.395, 57.12, 57.375), np.float32)
MAX_CLASS_SHARE = 0.75  # a crop is drawn again if one class covers this share of it
CROP_DRAWS = 10
HUES = 180  # OpenCV keeps hue in steps of two degrees

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


def random_crop(image: np.ndarray, label: np.ndarray, *, height: int, width: int,
                rng: np.random.Generator, max_ratio: float = MAX_CLASS_SHARE,
                draws: int = CROP_DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """A window of at most (height, width), drawn again while one class fills it.

    Accepted is a window with more than one class, none of which covers `max_ratio` of the
    pixels that are not ignored. After `draws` windows the last one is taken as it is.
    Later upstream versions centre-crop if that one is all ignored; here as when the
    published rows were trained, and the loss of such a crop is 0.
    """
    rows, columns = label.shape
    height, width = min(height, rows), min(width, columns)
    for _ in range(draws):
        top = rng.integers(0, rows - height, endpoint=True)
        left = rng.integers(0, columns - width, endpoint=True)
        window = np.s_[top:top + height, left:left + width]
        if is_varied(label[window], max_ratio):
            break
    return image[window], label[window]


def is_varied(label: np.ndarray, max_ratio: float = MAX_CLASS_SHARE) -> bool:
    """Whether two or more classes occur and none covers `max_ratio` of what is not ignored."""
    counts = np.bincount(label.ravel(), minlength=IGNORE_INDEX + 1)[:IGNORE_INDEX]
    return np.count_nonzero(counts) > 1 and counts.max() / counts.sum() < max_ratio


def flip(image: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image and label mirrored left to right."""
    return cv2.flip(image, 1), cv2.flip(label, 1)


@dataclass(frozen=True)
class Distortion:
    """The draws of one photometric distortion; None leaves that property as it is."""

    brightness: float | None = None  # added to every byte
    contrast: float | None = None  # factor of every byte
    contrast_last: bool = False  # contrast after the colours instead of before
    saturation: float | None = None  # factor
    hue: int | None = None  # steps of two degrees


def draw_distortion(rng: np.random.Generator) -> Distortion:
    """Draw a distortion: each of its four changes happens with probability one half."""
    def maybe(value: float) -> float | None:
        return value if rng.random() < 0.5 else None

    return Distortion(brightness=maybe(rng.uniform(-32, 32)),
                      contrast=maybe(rng.uniform(0.5, 1.5)),
                      contrast_last=rng.random() < 0.5,
                      saturation=maybe(rng.uniform(0.5, 1.5)),
                      hue=maybe(int(rng.integers(-18, 18))))  # -18..17, as upstream


def photometric_distortion(image: np.ndarray, draws: Distortion) -> np.ndarray:
    """The image, uint8 (H, W, 3), with the brightness, contrast and colours of `draws`.

    Saturation and hue go to HSV and back one after the other: their rounding is part of the
    recipe. OpenCV is told "BGR" for our RGB image, because upstream says "RGB" of its BGR
    images: either way red and blue change places and the hue axis is mirrored.
    """
    if draws.brightness is not None:
        image = _linear(image, offset=draws.brightness)
    if draws.contrast is not None and not draws.contrast_last:
        image = _linear(image, factor=draws.contrast)
    if draws.saturation is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        hsv[..., 1] = _linear(hsv[..., 1], factor=draws.saturation)
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    if draws.hue is not None:
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + draws.hue) % HUES
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    if draws.contrast is not None and draws.contrast_last:
        image = _linear(image, factor=draws.contrast)
    return image


def _linear(values: np.ndarray, *, factor: float = 1.0, offset: float = 0.0) -> np.ndarray:
    """factor * value + offset in float32, clipped to bytes and truncated; a table of 256."""
    table = np.arange(256, dtype=np.float32) * factor + offset
    return cv2.LUT(np.ascontiguousarray(values), np.clip(table, 0, 255).astype(np.uint8))


def normalize(image: np.ndarray) -> np.ndarray:
    """The image as float32 (H, W, 3), zero mean and unit deviation over ImageNet."""
    return (image - MEAN) / STD


def pad_center(image: np.ndarray, label: np.ndarray, *, height: int,
               width: int) -> tuple[np.ndarray, np.ndarray]:
    """Normalised image and label set into the middle of (height, width).

    The border is 0 in the image, that is ImageNet's mean colour, and ignored in the label.
    An odd pixel goes to the bottom and the right. Upstream turns a target that is not square
    with the image; here a batch keeps one size, and the only such target, Cityscapes',
    never needs padding.
    """
    rows, columns = label.shape
    if (rows, columns) == (height, width):
        return image, label
    top, left = (height - rows) // 2, (width - columns) // 2
    window = np.s_[top:top + rows, left:left + columns]
    padded = np.zeros((height, width, 3), np.float32)
    padded[window] = image
    padded_label = np.full((height, width), IGNORE_INDEX, np.uint8)
    padded_label[window] = label
    return padded, padded_label


def to_tensor(image: np.ndarray) -> Tensor:
    """A normalised image (H, W, 3) as a float32 tensor (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


@dataclass(frozen=True, kw_only=True)
class TrainTransform:
    """What training does to a sample: image float32 (3, H, W), label int64 (H, W).

    H and W are those of the crop. Everything random is drawn from the generator given, so
    that the result depends on nothing else.
    """

    target: tuple[int, int]  # (long, short) in pixels at scale 1
    crop_height: int  # pixels
    crop_width: int  # pixels
    scale_range: tuple[float, float] = (0.5, 2.0)

    def __call__(self, image: np.ndarray, label: np.ndarray,
                 rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        height, width = resized_size(*label.shape, target=self.target,
                                     scale=rng.uniform(*self.scale_range))
        image = resize_image(image, height=height, width=width)
        label = resize_label(label, height=height, width=width)
        crop = {"height": self.crop_height, "width": self.crop_width}
        image, label = random_crop(image, label, **crop, rng=rng)
        if rng.random() < 0.5:
            image, label = flip(image, label)
        image = photometric_distortion(image, draw_distortion(rng))
        image, label = pad_center(normalize(image), label, **crop)
        return to_tensor(image), torch.from_numpy(label.astype(np.int64))


@dataclass(frozen=True)
class EvalTransform:
    """What evaluation does to an image: resize, normalise; the label keeps its own size."""

    target: tuple[int, int]  # (long, short) in pixels

    def __call__(self, image: np.ndarray) -> Tensor:
        """Image uint8 (H, W, 3) to float32 (3, h, w)."""
        height, width = resized_size(*image.shape[:2], target=self.target)
        return to_tensor(normalize(resize_image(image, height=height, width=width)))
