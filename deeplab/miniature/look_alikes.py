"""Things in a form that two kinds share, told apart by small companions on the far side.

A cow and a horse lying down look the same here. Which it is shows in the company: sheep stand
far off where it is a cow, people where it is a horse. The companions are 4 to 14 pixels across,
spread over the other side of the picture and farther from the thing than the pyramid's widest
rate reaches, so that no branch of it but the image-level one sees both; and near enough that a
training crop often holds both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

SHARE = 0.4  # of the pictures that can hold a thing in the common form do
DISTANCE = (64.0, 105.0)  # pixels across, from the middle of the thing to that of a companion
COMPANIONS = 10  # of one thing
COMPANION_SIDE = (4.0, 14.0)  # pixels, of the square that is as large as a companion's box
HEIGHT = (0.28, 0.45)  # of the picture's: a thing in the common form
WIDEST = 44.0  # pixels: a thing in the common form
EDGE = 0.12  # of the picture's width, which the middle of such a thing keeps from its edge


class Pair(NamedTuple):
    """Two kinds with a form in common; `companions` are the kinds that stand with each."""

    shape: str
    companions: dict[str, str]

    @property
    def look(self) -> str:
        """The kind whose colour and texture the common form has: the first."""
        return next(iter(self.companions))


class Chosen(NamedTuple):
    """The kind that a picture shows in the common form of its pair."""

    pair: Pair
    kind: str

    def others(self, things: Sequence[str]) -> list[str]:
        """`things` without all that would tell, or tell wrongly: both kinds, all companions."""
        telling = {*self.pair.companions, *self.pair.companions.values()}
        return [kind for kind in things if kind not in telling]


class Place(NamedTuple):
    """Where something stands: its middle across and its height and width, in pixels."""

    middle: float
    height: float
    width: float


def pairs_of(spec: Mapping) -> list[Pair]:
    """The pairs of one label set's entry in the vocabulary."""
    return [Pair(pair["shape"], {kind: other for kind, other in pair.items() if kind != "shape"})
            for pair in spec["pairs"]]


def choose(pairs: Sequence[Pair], scene: Sequence[str], shown: Sequence[str],
           drawn: dict[str, int], rng: np.random.Generator) -> Chosen | None:
    """A pair of which `shown` has a kind, and the kind to draw in its common form; or None.

    Only pairs both of whose kinds the scene can hold, for otherwise the scene would tell. The
    pair, and of it the kind, drawn least often so far, which `drawn` then counts: whoever knows
    nothing of the companions is right half of the time.
    """
    able = [pair for pair in pairs
            if set(pair.companions) <= set(scene) and set(pair.companions) & set(shown)]
    if not able or rng.random() >= SHARE:
        return None

    def turn(*kinds: str) -> float:
        return sum(drawn.get(kind, 0) for kind in kinds) + rng.random()

    pair = min(able, key=lambda one: turn(*one.companions))
    kind = min(pair.companions, key=turn)
    drawn[kind] = drawn.get(kind, 0) + 1
    return Chosen(pair, kind)


def thing_place(aspects: Sequence[float], size: tuple[int, int],
                rng: np.random.Generator) -> Place:
    """A place for a thing in the common form in a picture of `size` (height, width).

    Its aspect is the mean of its pair's, and to one side of it there is room for companions.
    """
    height, width = size
    aspect = math.sqrt(math.prod(aspects))
    tall = min(height * rng.uniform(*HEIGHT), WIDEST / aspect)
    room = DISTANCE[0] + COMPANION_SIDE[1]
    middle = rng.uniform(EDGE * width, min(0.5 * width, width - room))
    return Place(middle if rng.integers(2) else width - middle, tall, tall * aspect)


def companion_places(thing: Place, aspect: float, width: int,
                     rng: np.random.Generator) -> list[Place]:
    """Places for the companions of `thing`, on the side of the picture that has more room."""
    places, room = [], max(thing.middle, width - thing.middle)
    for _ in range(COMPANIONS):
        side = rng.uniform(*COMPANION_SIDE)
        distance = rng.uniform(DISTANCE[0], max(DISTANCE[0], min(DISTANCE[1], room - side)))
        places.append(Place(thing.middle + math.copysign(distance, width / 2 - thing.middle),
                            side / math.sqrt(aspect), side * math.sqrt(aspect)))
    return places
