"""The rows there are, by name: the 16 of the published table, the user's own, the paper's.

`rows.csv` beside this file is the only source of the 16. Published values: SSSegmentation,
docs/modelzoo/deeplabv3/README.md. A dataset of one's own has four rows more, outside the table:
those of VOC's recipe. The rows of the paper's own tables are `paper`'s.
"""

import csv
import fnmatch
import functools
from collections.abc import Sequence
from dataclasses import fields, replace
from importlib.resources import files

from deeplab.data.catalog import own_label_sets
from deeplab.support.errors import unknown
from deeplab.table.paper import load_paper_rows
from deeplab.table.row import Row


@functools.cache
def load_rows() -> dict[str, Row]:
    """All rows by `row_id`, in the order of the table."""
    text = files("deeplab.table").joinpath("rows.csv").read_text(encoding="utf-8")
    rows = (Row(**{field.name: field.type(record[field.name]) for field in fields(Row)})
            for record in csv.DictReader(text.splitlines()))
    return {row.row_id: row for row in rows}


def known_rows() -> dict[str, Row]:
    """The rows of the table, then those of the user's own datasets, then the paper's."""
    return load_rows() | own_rows() | load_paper_rows()


def get_row(row_id: str) -> Row:
    """The row called `row_id`; raises `UsageError` (E-ROW) with the nearest names."""
    for rows in (load_rows(), load_paper_rows()):
        if row_id in rows:  # a faulty entry of one's own is no concern of these
            return rows[row_id]
    rows = known_rows()
    if row_id not in rows:
        raise unknown("E-ROW", "row", row_id, rows)
    return rows[row_id]


def which_table(row_id: str) -> str:
    """Where a row belongs, for people: no page and no column mixes these."""
    if row_id in load_rows():
        return "the published table"
    if row_id in load_paper_rows():
        return "the paper's own tables"
    return "rows of your own, outside the table"


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

    A pattern that fits no row of the table may name rows of the paper or of one's own. Raises
    `UsageError` (E-ROW) for one that fits no row at all.
    """
    found: dict[str, None] = {} if patterns else dict.fromkeys(load_rows())
    for pattern in patterns:
        hits = (fnmatch.filter(load_rows(), pattern) or fnmatch.filter(load_paper_rows(), pattern)
                or fnmatch.filter(own_rows(), pattern))
        if not hits:
            raise unknown("E-ROW", "row", pattern, known_rows())
        found |= dict.fromkeys(hits)
    order = [*load_rows(), *load_paper_rows()]
    if found.keys() - set(order):
        order = list(known_rows())
    return sorted(found, key=order.index)
