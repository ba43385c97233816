"""The drawn world's vocabulary, and how one mask is shaped, textured and coloured.

`scenes.json` beside this file names colours, looks (a colour and a pattern for each kind), the
shapes and sizes of things, and what the scenes of each label set hold.
"""

from __future__ import annotations

import functools
import json
from importlib.resources import files

import cv2
import numpy as np

CONTRAST = 30  # grey levels by which a texture lightens and darkens its colour
INSTANCE_SHIFT = 9  # standard deviation of one instance's colour, grey levels


@functools.cache
def vocabulary() -> dict:
    """Colours, looks, shapes, things and label sets of `scenes.json`."""
    text = files("deeplab.miniature").joinpath("scenes.json").read_text(encoding="utf-8")
    return json.loads(text)


def paint(canvas: np.ndarray, mask: np.ndarray, kind: str, rng: np.random.Generator, *,
          stretch: float = 1) -> None:
    """Paint `mask` of a float canvas (H, W, 3) with the colour and texture of `kind`."""
    words = vocabulary()
    colour, pattern = words["looks"][kind].split()
    shade = np.array(words["colours"][colour]) + rng.normal(0, INSTANCE_SHIFT, 3)
    light = texture(pattern, mask.shape, rng, stretch=stretch)[mask] * CONTRAST
    canvas[mask] = shade + light[:, None]


def texture(name: str, size: tuple[int, int], rng: np.random.Generator, *,
            stretch: float = 1) -> np.ndarray:
    """A pattern in [-1, 1], float (height, width), with a random period and phase.

    The period is 4.5 to 6.5 pixels, times `stretch`.
    """
    rows = np.arange(size[0], dtype=np.float32)[:, None] + np.zeros((1, size[1]), np.float32)
    columns = np.arange(size[1], dtype=np.float32)[None] + np.zeros((size[0], 1), np.float32)
    period = stretch * rng.uniform(4.5, 6.5)
    rows, columns = rows + rng.uniform(0, period), columns + rng.uniform(0, period)

    def wave(axis: np.ndarray, length: float = period) -> np.ndarray:
        return np.sin(2 * np.pi / length * axis)

    if name in ("grain", "blotch"):
        cell = 2 if name == "grain" else 7  # pixels, whatever the stretch
        noise = rng.normal(size=(-(-size[0] // cell), -(-size[1] // cell))).astype(np.float32)
        spread = cv2.resize(noise, size[::-1], interpolation=cv2.INTER_LINEAR)
        return np.sign(spread) if name == "blotch" else np.clip(spread, -1, 1)
    patterns = {
        "plain": lambda: np.zeros(size, np.float32),
        "hstripes": lambda: np.sign(wave(rows)),
        "vstripes": lambda: np.sign(wave(columns)),
        "checks": lambda: np.sign(wave(columns) * wave(rows)),
        "dots": lambda: np.where(wave(columns) + wave(rows) > 0.8, 1, -0.5),
        "waves": lambda: wave(rows + 2 * np.sin(columns / 5)),
        "bars": lambda: np.where(wave(columns) > 0.4, 1, -0.6),
        "windows": lambda: np.where((wave(columns, 2 * period) > 0.3)
                                    & (wave(rows, 2 * period) > 0.3), -1, 0.5),
    }
    return patterns[name]()


def draw_shape(parts: list, box: tuple[float, float, float, float], size: tuple[int, int], *,
               mirrored: bool) -> np.ndarray:
    """Mask, bool (height, width), of a shape given in unit coordinates, scaled into `box`.

    Parts are "p" polygon (x, y, x, y ...), "e" ellipse (centre, radii), "r" ring (the same
    and a line width) and "l" line (two ends and a width); widths are fractions of the height.
    """
    left, top, width, height = box
    mask = np.zeros(size, np.uint8)

    def pixels(x: float, y: float) -> tuple[int, int]:
        return round(left + (1 - x if mirrored else x) * width), round(top + y * height)

    for part, *values in parts:
        if part == "p":
            corners = [pixels(x, y) for x, y in zip(values[0][::2], values[0][1::2], strict=True)]
            cv2.fillPoly(mask, [np.array(corners, np.int32)], 1)
        elif part == "l":
            cv2.line(mask, pixels(*values[:2]), pixels(*values[2:4]), 1,
                     max(1, round(values[4] * height * 0.6)))
        else:
            radii = max(1, round(values[2] * width)), max(1, round(values[3] * height))
            line = max(1, round(values[4] * height * 0.6)) if part == "r" else -1
            cv2.ellipse(mask, pixels(*values[:2]), radii, 0, 0, 360, 1, line)
    return mask.astype(bool)
