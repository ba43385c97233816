"""What a label set is: its classes, their colours, and what the values in a label file mean.

A label file holds raw values as they were published. Training and evaluation use train ids
0..K-1, and `IGNORE_INDEX` for every pixel that is in no class. The table of a label set maps
one to the other, and refuses values that the dataset does not know.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from deeplab.data.layout import Layout
from deeplab.support.entry import check_entry
from deeplab.support.void import IGNORE_INDEX, VOID_COLOUR

NOT_ALLOWED = 254  # marks, in the lookup table, a raw value that must not occur


@dataclass(frozen=True)
class LabelSet:
    """The classes of a dataset, the meaning of its label values and where its files lie."""

    name: str  # "voc"
    title: str  # "PASCAL VOC 2012 + SBD"
    classes: tuple[str, ...]  # names, by train id
    palette: tuple[tuple[int, int, int], ...]  # RGB colours, by train id
    raw_values: tuple[int, ...]  # the value in a label file, by train id
    ignored: tuple[int, ...]  # raw values that may occur and are ignored
    layout: Layout
    resize: tuple[int, int]  # target (long, short) in pixels at scale 1
    split_sizes: Mapping[str, int] = field(default_factory=dict)  # images, as published

    @property
    def num_classes(self) -> int:
        """K, the classes that are trained and scored; ignored pixels are no class."""
        return len(self.classes)

    @functools.cached_property
    def label_map(self) -> dict[int, int]:
        """Raw value -> train id or `IGNORE_INDEX`, for every value that may occur."""
        kept = {raw: index for index, raw in enumerate(self.raw_values)}
        return kept | dict.fromkeys(self.ignored, IGNORE_INDEX)

    @functools.cached_property
    def lookup(self) -> np.ndarray:
        """The label map as a table, uint8 (256,): `NOT_ALLOWED` where no value may occur."""
        table = np.full(256, NOT_ALLOWED, np.uint8)
        table[list(self.label_map)] = list(self.label_map.values())
        return table

    @functools.cached_property
    def raw_lookup(self) -> np.ndarray:
        """The way back, uint8 (256,): train id -> raw value, ignored -> one ignored raw value.

        Entries of ids that do not exist are meaningless.
        """
        table = np.full(256, self.ignored[0] if self.ignored else IGNORE_INDEX, np.uint8)
        table[:self.num_classes] = self.raw_values
        return table

    @functools.cached_property
    def raw_palette(self) -> bytes:
        """256 RGB colours by raw value, as an index image stores them; ignored values are beige."""
        colours = np.zeros((256, 3), np.uint8)
        colours[list(self.ignored)] = VOID_COLOUR
        colours[list(self.raw_values)] = self.palette
        return colours.tobytes()

    @property
    def allowed(self) -> str:
        """The raw values that may occur, for people: `0..20 and 255`."""
        return _as_ranges(self.label_map)

    def without(self, class_name: str, *, name: str, title: str) -> LabelSet:
        """The same dataset with one class ignored; the classes after it move up by one."""
        gone = self.classes.index(class_name)
        kept = [index for index in range(self.num_classes) if index != gone]
        return replace(self, name=name, title=title,
                       classes=tuple(self.classes[index] for index in kept),
                       palette=tuple(self.palette[index] for index in kept),
                       raw_values=tuple(self.raw_values[index] for index in kept),
                       ignored=(self.raw_values[gone], *self.ignored))


def parse_label_set(name: str, entry: Mapping[str, Any], source: object) -> LabelSet:
    """The label set that a JSON object describes; raises as `check_entry` does."""
    check_entry(name, entry, source)
    folders = tuple(entry["layout"]["folders"])
    return LabelSet(
        name=name, title=entry["title"], layout=Layout(**entry["layout"] | {"folders": folders}),
        resize=tuple(entry["resize"]), classes=tuple(one["name"] for one in entry["classes"]),
        palette=tuple(tuple(one["color"]) for one in entry["classes"]),
        raw_values=tuple(one["raw"] for one in entry["classes"]),
        ignored=tuple(entry["ignored"]), split_sizes=entry.get("split_sizes", {}))


def _as_ranges(values: Iterable[int]) -> str:
    """Sorted integers as runs: `0..20 and 255`."""
    runs = [[value for _, value in run] for _, run in
            groupby(enumerate(sorted(values)), key=lambda pair: pair[1] - pair[0])]
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs]
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]]))
