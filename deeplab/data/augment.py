"""The training recipe's augmentation, step by step; every step is a pure function.

Order: resize, crop, flip, photometric distortion, normalise, pad (upstream:
ssseg/modules/datasets/pipelines/transforms.py). Images are uint8 (H, W, 3) RGB and labels
uint8 (H, W) train ids; a step that draws takes the random generator it draws from. What a
worker hands over is padded bytes, a `Crop`: normalising them is left to the device that trains.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from deeplab.data.distortion import draw_distortion, photometric_distortion
from deeplab.data.resample import Resized, resize_image, resized_size
from deeplab.support.void import IGNORE_INDEX

# Mean and deviation of ImageNet's training images, RGB, on the scale 0..255
MEAN = np.array((123.675, 116.28, 103.53), np.float32)
STD = np.array((58.395, 57.12, 57.375), np.float32)
MAX_CLASS_SHARE = 0.75  # a crop is drawn again if one class covers this share of it
CROP_DRAWS = 10  # at most, for one crop

Window = tuple[slice, slice]  # rows, columns


def random_crop(image: np.ndarray, label: np.ndarray, *, height: int, width: int,
                rng: np.random.Generator, max_ratio: float = MAX_CLASS_SHARE,
                draws: int = CROP_DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """A window of at most (height, width), drawn by `random_window`, of image and label."""
    window, cropped = random_window(label.shape, label.__getitem__, height=height, width=width,
                                    rng=rng, max_ratio=max_ratio, draws=draws)
    return image[window], cropped


def random_window(size: tuple[int, int], label_in: Callable[[Window], np.ndarray], *, height: int,
                  width: int, rng: np.random.Generator, max_ratio: float = MAX_CLASS_SHARE,
                  draws: int = CROP_DRAWS) -> tuple[Window, np.ndarray]:
    """A window of at most (height, width) of an image of `size`, and the label in it.

    It is drawn again while one class fills it: accepted is a window with more than one class,
    none of which covers `max_ratio` of the pixels that are not ignored. After `draws` windows
    the last one is taken as it is. Later upstream versions centre-crop if that one is all
    ignored; here as when the published rows were trained, and the loss of such a crop is 0.
    """
    rows, columns = size
    height, width = min(height, rows), min(width, columns)
    for _ in range(draws):
        top = int(rng.integers(0, rows - height, endpoint=True))
        left = int(rng.integers(0, columns - width, endpoint=True))
        window = np.s_[top:top + height, left:left + width]
        label = label_in(window)
        if is_varied(label, max_ratio):
            break
    return window, label


def is_varied(label: np.ndarray, max_ratio: float = MAX_CLASS_SHARE) -> bool:
    """Whether two or more classes occur and none covers `max_ratio` of what is not ignored."""
    histogram = cv2.calcHist([label], [0], None, [256], [0, 256])  # exact below 2^24 pixels
    counts = histogram[:IGNORE_INDEX].astype(np.int64)
    return np.count_nonzero(counts) > 1 and counts.max() / counts.sum() < max_ratio


def flip(image: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image and label mirrored left to right."""
    return cv2.flip(image, 1), cv2.flip(label, 1)


def normalize(image: np.ndarray) -> np.ndarray:
    """The image as float32 (H, W, 3), zero mean and unit deviation over ImageNet."""
    return (image - MEAN) / STD


def normalized(pixels: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """Images uint8 (N, H, W, 3) as float32 (N, 3, H, W) on `device`: `normalize` to the bit."""
    mean, std = _statistics(torch.device(device))
    planes = pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).contiguous()
    return planes.float().sub_(mean).div_(std)


@functools.cache
def _statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """`MEAN` and `STD` (3, 1, 1), copied to a device once: the host waits for such a copy."""
    mean, std = (torch.from_numpy(values).view(3, 1, 1).to(device) for values in (MEAN, STD))
    return mean, std


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
    sides = (top, height - rows - top, left, width - columns - left)
    return (cv2.copyMakeBorder(image, *sides, cv2.BORDER_CONSTANT, value=(0, 0, 0)),
            cv2.copyMakeBorder(label, *sides, cv2.BORDER_CONSTANT, value=IGNORE_INDEX))


def to_tensor(image: np.ndarray) -> Tensor:
    """A normalised image (H, W, 3) as a float32 tensor (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


class Crop(NamedTuple):
    """A training sample, or a batch of them, before it is normalised: a quarter of the bytes."""

    image: Tensor  # uint8 (..., H, W, 3), 0 where padded
    label: Tensor  # uint8 (..., H, W), 255 = ignored or padded
    size: Tensor  # int64 (..., 2): rows and columns of the photograph in the middle

    @classmethod
    def of(cls, image: np.ndarray, label: np.ndarray, *, height: int, width: int) -> Crop:
        """Image and label of at most (height, width), padded to it."""
        size = torch.tensor(label.shape)
        return cls(*map(torch.from_numpy, pad_center(image, label, height=height, width=width)),
                   size)

    def finish(self, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
        """A batch as the network takes it: image float32 (N, 3, H, W), label int64 (N, H, W).

        The image is that of `normalize` and then `pad_center`, to the bit.
        """
        image = normalized(self.image, device)
        image.masked_fill_(self._padding(image.device)[:, None], 0)
        return image, self.label.to(device, non_blocking=True).long()

    def _padding(self, device: torch.device) -> Tensor:
        """Where a batch is padded, bool (N, H, W), found out on `device`."""
        inside, size = [], self.size.to(device, non_blocking=True)
        for length, full in zip(size.T, self.label.shape[-2:], strict=True):
            first = ((full - length) // 2)[:, None]
            place = torch.arange(full, device=device)
            inside.append((place >= first) & (place < first + length[:, None]))
        return ~(inside[0][:, :, None] & inside[1][:, None, :])


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
        batch = Crop(*(part[None] for part in self.crop(image, label, rng)))
        return tuple(part[0] for part in batch.finish())

    def crop(self, image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> Crop:
        """The same sample before it is normalised, which a worker leaves to the device."""
        size = resized_size(*label.shape, target=self.target,
                            scale=rng.uniform(*self.scale_range))
        resized = Resized(image, label, *size)
        crop = {"height": self.crop_height, "width": self.crop_width}
        window, label = random_window(size, resized.label_window, **crop, rng=rng)
        image = resized.image_window(window)
        if rng.random() < 0.5:
            image, label = flip(image, label)
        return Crop.of(photometric_distortion(image, draw_distortion(rng)), label, **crop)


@dataclass(frozen=True)
class EvalTransform:
    """What evaluation does to an image: resize, normalise; the label keeps its own size."""

    target: tuple[int, int]  # (long, short) in pixels
    device: str = "cpu"  # that normalises, and has the result

    def __call__(self, image: np.ndarray) -> Tensor:
        """Image uint8 (H, W, 3) to float32 (3, h, w)."""
        height, width = resized_size(*image.shape[:2], target=self.target)
        pixels = torch.from_numpy(resize_image(image, height=height, width=width))[None]
        if self.device.startswith("cuda"):
            pixels = pixels.pin_memory()
        return normalized(pixels, self.device)[0]
