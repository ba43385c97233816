"""Draw small scenes and their exact labels for the miniature datasets.

A scene is a stack of stuff (sky over buildings over road, wall over floor) with things of
very different sizes on it. Every kind of stuff and thing has a colour and a texture, and on
purpose there are far fewer of these than kinds: a cow, a horse and a dog are blotched brown,
a cup and a bottle are the same green, a boat, a bird and an aeroplane the same white. Colour
alone cannot name them. Shape and size tell most of them apart, and `look_alikes` what neither
tells. Stuff has fine textures and ones as long as the taps of an atrous kernel are apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from deeplab.miniature import look_alikes
from deeplab.miniature.drawing import draw_shape, paint, vocabulary

GAIN = (0.85, 1.1)  # brightness of a whole picture
WHITE_BALANCE = 0.1  # standard deviation of its red, green and blue among pictures
GROUND_REACH = 0.9  # things stand on the lowest layer, their feet at most this far down it
COARSE = 3  # half of the stuff has a texture this much longer: 14 to 20 pixels, about the 16
# that the taps of rate 2 at output stride 8, or of rate 1 at 16, lie apart


class Box(NamedTuple):
    """One thing to draw: what it is, the shape and look it has, where it lies in pixels."""

    kind: str
    shape: str
    look: str
    left: float
    top: float
    width: float
    height: float


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
        self.pairs = look_alikes.pairs_of(self.spec)
        self.drawn: dict[str, int] = {}  # how often each kind of thing was drawn so far
        self.in_common_form: dict[str, int] = {}  # the same of those drawn as their pair is

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
        shown = self._choose(scene["things"], rng)
        alike = look_alikes.choose(self.pairs, scene["things"], shown, self.in_common_form, rng)
        shown = alike.others(shown) if alike else shown
        for kind in [*shown, alike.kind] if alike else shown:
            self.drawn[kind] = self.drawn.get(kind, 0) + 1
        places = (rng.permutation(len(shown)) + rng.random(len(shown))) / max(1, len(shown))
        boxes = [self._place(kind, ground, place, rng)
                 for kind, place in zip(shown, places, strict=True)]
        boxes.sort(key=lambda box: box.top + box.height)
        # What tells a thing in the common form is never hidden: it is drawn last.
        for box in boxes + (self._company(alike, ground, rng) if alike else []):
            mask = draw_shape(self.words["shapes"][box.shape], box[3:],
                              (self.height, self.width), mirrored=bool(rng.integers(2)))
            self._fill(canvas, kinds, mask, box.kind, rng, look=box.look)
        light = rng.uniform(*GAIN) * rng.normal(1, WHITE_BALANCE, 3)
        image = np.clip(canvas * light, 0, 255)
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
            self._fill(canvas, kinds, rows >= top + wave * (top > 0), kind, rng,
                       stretch=COARSE if rng.integers(2) else 1)
            start, top = top, top + share * self.height * rng.uniform(0.85, 1.15)
        return start

    def _choose(self, things: list[str], rng: np.random.Generator) -> list[str]:
        """Four to six of the things, or all there are: first those drawn least often so far."""
        order = sorted(things, key=lambda kind: self.drawn.get(kind, 0) + 2 * rng.random())
        return order[: int(rng.integers(4, 7))]

    def _place(self, kind: str, ground: float, across: float, rng: np.random.Generator) -> Box:
        """Where a thing stands, near things lower and larger.

        `across` is where the middle lies between the left (0) and right (1) edge.
        """
        shape, smallest, largest, aspect, _ = self.words["things"][kind]
        depth = rng.uniform(0, 1)
        height = self.height * (smallest + (largest - smallest) * depth)
        width = min(height * aspect * rng.uniform(0.85, 1.15), 0.9 * self.width)
        top = self._top(kind, height, ground, depth, rng)
        return Box(kind, shape, kind, across * self.width - width / 2, top, width, height)

    def _top(self, kind: str, height: float, ground: float, depth: float,
             rng: np.random.Generator) -> float:
        """The upper edge, in pixels, of something of that height: on the ground, or above it."""
        place = self.words["things"][kind][4]
        if place == "ground":
            reach = 0.15 + (GROUND_REACH - 0.15) * depth
            return ground + (self.height - ground) * reach - height
        return rng.uniform(0.02, 0.35) * self.height if place == "sky" else (
            rng.uniform(0.05, 0.3) * self.height)

    def _company(self, alike: look_alikes.Chosen, ground: float,
                 rng: np.random.Generator) -> list[Box]:
        """A thing in the common form of its pair, and its companions far from it."""
        pair, things = alike.pair, self.words["things"]
        thing = look_alikes.thing_place([things[kind][3] for kind in pair.companions],
                                        (self.height, self.width), rng)
        companion = pair.companions[alike.kind]
        others = look_alikes.companion_places(thing, things[companion][3], self.width, rng)
        drawn = [(alike.kind, pair.look, pair.shape, pair.look, thing)] + [
            (companion, companion, things[companion][0], companion, place) for place in others]
        return [Box(kind, shape, look, place.middle - place.width / 2,
                    self._top(stands_as, place.height, ground, rng.uniform(0, 1), rng),
                    place.width, place.height)
                for kind, stands_as, shape, look, place in drawn]

    def _fill(self, canvas: np.ndarray, kinds: np.ndarray, mask: np.ndarray, kind: str,
              rng: np.random.Generator, *, look: str = "", stretch: float = 1) -> None:
        paint(canvas, mask, look or kind, rng, stretch=stretch)
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
