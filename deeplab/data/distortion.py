"""Photometric distortion: brightness, contrast and colours of a training image.

Upstream: ssseg/modules/datasets/pipelines/transforms.py, `PhotoMetricDistortion`. Every change
but the two colour conversions is a table of 256 bytes, applied in one pass.
"""

from dataclasses import dataclass

import cv2
import numpy as np

HUES = 180  # OpenCV keeps hue in steps of two degrees
BYTES = np.arange(256, dtype=np.uint8)  # the table that changes nothing


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
    first = BYTES  # one table for what comes before the colours
    if draws.brightness is not None:
        first = _linear(first, offset=draws.brightness)
    if draws.contrast is not None and not draws.contrast_last:
        first = _linear(first, factor=draws.contrast)
    if first is not BYTES:
        image = cv2.LUT(image, first)
    if draws.saturation is not None:
        image = _change_hsv(image, 1, _linear(BYTES, factor=draws.saturation))
    if draws.hue is not None:
        image = _change_hsv(image, 0, ((BYTES.astype(np.int16) + draws.hue) % HUES))
    if draws.contrast is not None and draws.contrast_last:
        image = cv2.LUT(image, _linear(BYTES, factor=draws.contrast))
    return image


def _linear(table: np.ndarray, *, factor: float = 1.0, offset: float = 0.0) -> np.ndarray:
    """factor * value + offset in float32, clipped to bytes and truncated, for a table of 256."""
    return np.clip(table.astype(np.float32) * factor + offset, 0, 255).astype(np.uint8)


def _change_hsv(image: np.ndarray, channel: int, table: np.ndarray) -> np.ndarray:
    """The image with one channel of its HSV form (0 hue, 1 saturation) sent through a table."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    changed = cv2.LUT(cv2.extractChannel(hsv, channel), table.astype(np.uint8))
    return cv2.cvtColor(cv2.insertChannel(changed, hsv, channel), cv2.COLOR_HSV2BGR)
