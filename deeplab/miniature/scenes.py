"""Draw small scenes and their exact labels for the miniature datasets.

A scene is a stack of stuff (sky over buildings over road, wall over floor) with things of
very different sizes on it. Every kind of stuff and thing has a colour and a texture, and on
purpose there are far fewer of these than kinds: a cow, a horse and a dog are blotched brown,
a cup and a bottle are the same green, a boat, a bird and an aeroplane the same white. Colour
alone cannot name them; shape, size and surroundings can, which is what a network with a
large field of view is for. The vocabulary lies in `scenes.json` beside this file.
"""

from __future__ import annotations

import functools
import json
from importlib.resources import files

import cv2
import numpy as np

CONTRAST = 30  # grey levels by which a texture lightens and darkens its colour
INSTANCE_SHIFT = 9  # standard deviation of one instance's colour, grey levels
GAIN = (0.85, 1.1)  # brightness of a whole picture
GROUND_REACH = 0.9  # things stand on the lowest layer, their feet at most this far down it


@functools.cache
def vocabulary() -> dict:
    """Colours, looks, shapes, things and label sets of `scenes.json`."""
    text = files("deeplab.miniature").joinpath("scenes.json").read_text(encoding="utf-8")
    return json.loads(text)


class Painter:
    """Draws pictures of one label set's scenes, all kinds of things about equally often.

    To be asked for the pictures of a split in order: which things a picture shows depends on
    those that were drawn before.
    """

    def __init__(self, name: str):
        self.words = vocabulary()
        self.spec = self.words["sets"][name]
        self.height, self.width = self.spec["size"]
        self.scenes = list(self.spec["scenes"].values())
        self.drawn: dict[str, int] = {}  # how often each kind of thing was drawn so far

    @property
    def kinds(self) -> list[str]:
        """Every kind of thing or stuff there is; the values of a map of kinds index it."""
        return list(self.words["looks"])

    def picture(self, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Picture `number`, uint8 (H, W, 3), and its map of kinds, int32 (H, W).

        Scenes take turns. Stuff is painted from the top down, then things from far to near.
        """
        scene = self.scenes[number % len(self.scenes)]
        canvas = np.zeros((self.height, self.width, 3), np.float32)
        kinds = np.zeros((self.height, self.width), np.int32)
        ground = self._paint_layers(canvas, kinds, scene["layers"], rng)
        chosen = self._choose(scene["things"], rng)
        places = (rng.permutation(len(chosen)) + rng.random(len(chosen))) / len(chosen)
        boxes = [self._place(kind, ground, place, rng)
                 for kind, place in zip(chosen, places, strict=True)]
        for kind, left, top, width, height in sorted(boxes, key=lambda box: box[2] + box[4]):
            mask = draw_shape(self.words["shapes"][self.words["things"][kind][0]],
                              (left, top, width, height), (self.height, self.width),
                              mirrored=bool(rng.integers(2)))
            self._fill(canvas, kinds, mask, kind, rng)
        image = np.clip(canvas * rng.uniform(*GAIN), 0, 255)
        return image.astype(np.uint8), kinds

    def _paint_layers(self, canvas: np.ndarray, kinds: np.ndarray, layers: list,
                      rng: np.random.Generator) -> float:
        """Paint the stuff from top to bottom; returns where the lowest layer begins, in pixels."""
        outdoors = layers[0][0] == "sky"
        rows, columns = np.mgrid[: self.height, : self.width]
        top = 0.0
        for kind, share in layers:
            wave = 0.03 * self.height * np.sin(columns / self.width * rng.uniform(3, 9)
                                               + rng.uniform(0, 6)) if outdoors else 0.0
            self._fill(canvas, kinds, rows >= top + wave * (top > 0), kind, rng)
            start, top = top, top + share * self.height * rng.uniform(0.85, 1.15)
        return start

    def _choose(self, things: list[str], rng: np.random.Generator) -> list[str]:
        """Four to six of the things, or all there are: first those drawn least often so far."""
        order = sorted(things, key=lambda kind: self.drawn.get(kind, 0) + 2 * rng.random())
        chosen = order[: int(rng.integers(4, 7))]
        for kind in chosen:
            self.drawn[kind] = self.drawn.get(kind, 0) + 1
        return chosen

    def _place(self, kind: str, ground: float, place_across: float,
               rng: np.random.Generator) -> tuple:
        """(kind, left, top, width, height) in pixels, near things lower and larger.

        `place_across` is where the middle lies between the left (0) and right (1) edge.
        """
        _, smallest, largest, aspect, place = self.words["things"][kind]
        depth = rng.uniform(0, 1)
        height = self.height * (smallest + (largest - smallest) * depth)
        width = min(height * aspect * rng.uniform(0.85, 1.15), 0.9 * self.width)
        left = place_across * self.width - width / 2
        if place == "ground":
            base = ground + (self.height - ground) * (0.15 + (GROUND_REACH - 0.15) * depth)
            top = base - height
        elif place == "sky":
            top = rng.uniform(0.02, 0.35) * self.height
        else:
            top = rng.uniform(0.05, 0.3) * self.height
        return kind, left, top, width, height

    def _fill(self, canvas: np.ndarray, kinds: np.ndarray, mask: np.ndarray, kind: str,
              rng: np.random.Generator) -> None:
        paint(canvas, mask, kind, rng)
        kinds[mask] = self.kinds.index(kind)


def portrait(kind: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """A picture of one kind alone, uint8 (size, size, 3): what the backbone is pretrained on.

    A thing fills most of the picture in front of two kinds of stuff; stuff fills most of it.
    """
    words = vocabulary()
    stuff = sorted({layer for spec in words["sets"].values()
                    for scene in spec["scenes"].values() for layer, _ in scene["layers"]})
    canvas = np.zeros((size, size, 3), np.float32)
    rows = np.arange(size)[:, None] + np.zeros((1, size))
    horizon = size * rng.uniform(0.2, 0.8)
    for background in rng.choice(stuff, 2, replace=False):
        paint(canvas, rows >= horizon, str(background), rng)
        rows = rows[::-1]
        horizon = size - horizon
    if kind in words["things"] and (kind not in stuff or rng.random() < 0.5):
        shape, _, _, aspect, _ = words["things"][kind]
        longest = size * rng.uniform(0.35, 1.0)
        height, width = longest / max(1, aspect), longest * min(1, aspect)
        left, top = (rng.uniform(-0.1, 1.1) * (size - side) for side in (width, height))
        mask = draw_shape(words["shapes"][shape], (left, top, width, height), (size, size),
                          mirrored=bool(rng.integers(2)))
    else:
        share = size * rng.uniform(0.5, 1.0)
        mask = (rows < share) if rng.integers(2) else (rows >= size - share)
    paint(canvas, mask, kind, rng)
    return np.clip(canvas * rng.uniform(*GAIN), 0, 255).astype(np.uint8)


def paint(canvas: np.ndarray, mask: np.ndarray, kind: str, rng: np.random.Generator) -> None:
    """Paint `mask` of a float canvas (H, W, 3) with the colour and texture of `kind`."""
    words = vocabulary()
    colour, pattern = words["looks"][kind].split()
    shade = np.array(words["colours"][colour]) + rng.normal(0, INSTANCE_SHIFT, 3)
    light = texture(pattern, mask.shape, rng)[mask] * CONTRAST
    canvas[mask] = shade + light[:, None]


def texture(name: str, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A pattern in [-1, 1], float (height, width), with a random period and phase."""
    rows = np.arange(size[0], dtype=np.float32)[:, None] + np.zeros((1, size[1]), np.float32)
    columns = np.arange(size[1], dtype=np.float32)[None] + np.zeros((size[0], 1), np.float32)
    period = rng.uniform(4.5, 6.5)
    rows, columns = rows + rng.uniform(0, period), columns + rng.uniform(0, period)

    def wave(axis: np.ndarray, length: float = period) -> np.ndarray:
        return np.sin(2 * np.pi / length * axis)

    if name in ("grain", "blotch"):
        cell = 2 if name == "grain" else 7
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
