"""The 16 rows of the published table: `rows.csv` beside this file is the only source.

A column is a fact that the table or the recipe states; what follows from other facts is a
property. Published values: SSSegmentation, docs/modelzoo/deeplabv3/README.md.
A dataset of one's own has four rows more, outside the table: those of VOC's recipe.
"""

import csv
import fnmatch
import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from importlib.resources import files

from deeplab.data.catalog import get_dataset, own_label_sets
from deeplab.support.errors import unknown

BASE_RATES = (6, 12, 18)  # Sec. 3.3: rates of the 3x3 branches at output stride 16


@dataclass(frozen=True)
class Row:
    """One row of the table; the fields are the columns of `rows.csv`, in order."""

    row_id: str  # "voc_r50_d8"
    dataset: str  # key of deeplab.data.catalog.DATASETS
    backbone: str  # "resnet50" | "resnet101"
    output_stride: int  # input pixels per feature cell, 8 or 16
    crop_height: int  # pixels
    crop_width: int  # pixels
    base_lr: float  # learning rate at step 0
    weight_decay: float
    batch_size: int  # images per step over all devices
    epochs: int
    train_split: str
    eval_split: str
    inference: str  # "whole" | "slide"
    published_miou: float  # per cent; None for a row of one's own
    published_weights: str  # file name of the published checkpoint; "" for a row of one's own
    source: str  # upstream file that states the row's recipe

    @property
    def num_classes(self) -> int:
        """K, the classes that are trained and scored."""
        return get_dataset(self.dataset).num_classes

    @property
    def atrous_rates(self) -> tuple[int, ...]:
        """Rates in feature cells; doubled at output stride 8 (Sec. 3.3)."""
        return tuple(rate * 16 // self.output_stride for rate in BASE_RATES)

    def steps_per_epoch(self, num_images: int) -> int:
        """Optimiser steps in one pass: the last incomplete batch is dropped."""
        return num_images // self.batch_size


@functools.cache
def load_rows() -> dict[str, Row]:
    """All rows by `row_id`, in the order of the table."""
    text = files("deeplab.table").joinpath("rows.csv").read_text(encoding="utf-8")
    rows = (Row(**{field.name: field.type(record[field.name]) for field in fields(Row)})
            for record in csv.DictReader(text.splitlines()))
    return {row.row_id: row for row in rows}


def known_rows() -> dict[str, Row]:
    """The rows of the table, then those of the user's own datasets."""
    return load_rows() | own_rows()


def get_row(row_id: str) -> Row:
    """The row called `row_id`; raises `UsageError` (E-ROW) with the nearest names."""
    if row_id in load_rows():
        return load_rows()[row_id]
    rows = known_rows()
    if row_id not in rows:
        raise unknown("E-ROW", "row", row_id, rows)
    return rows[row_id]


def own_rows() -> dict[str, Row]:
    """VOC's four rows for each dataset that the user has added: `NAME_r50_d8` and so on.

    They train on its split `train` and are evaluated on `val`; nothing is published of them.
    """
    recipes = [row for row in load_rows().values() if row.dataset == "voc"]
    return {row.row_id: row for name in own_label_sets() for row in (replace(
        recipe, row_id=recipe.row_id.replace("voc", name, 1), dataset=name, train_split="train",
        eval_split="val", published_miou=None, published_weights="",
        source=f"the recipe of {recipe.row_id}") for recipe in recipes)}


def match_rows(patterns: Sequence[str]) -> list[str]:
    """The row ids that fit any of the shell-style `patterns`, all of the table if there are none.

    A pattern that fits no row of the table may name rows of one's own. Raises `UsageError`
    (E-ROW) for one that fits no row at all.
    """
    found: dict[str, None] = {} if patterns else dict.fromkeys(load_rows())
    for pattern in patterns:
        hits = fnmatch.filter(load_rows(), pattern) or fnmatch.filter(own_rows(), pattern)
        if not hits:
            raise unknown("E-ROW", "row", pattern, known_rows())
        found |= dict.fromkeys(hits)
    order = list(known_rows() if found.keys() - load_rows().keys() else load_rows())
    return sorted(found, key=order.index)
