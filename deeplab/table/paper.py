"""The rows of the paper's own tables (arXiv 1706.05587v3): `paper.csv` is the only source.

One row for each cell of Tables 1 to 6 and of the appendix that a training here can reach; the
test set's (7 and 11) and the one pretrained on COCO are not. No copy of the paper was at hand:
the values are two recollections that agree, and `checked` says so. Rows that differ only in how
they are evaluated share one training, that of `trained_as`. Table "again" is not the paper's: it
asks of Cityscapes what Tables 1, 2 and 5 ask of VOC, and has no values to compare with.
"""

import csv
import functools
from dataclasses import fields
from importlib.resources import files

from deeplab.table.row import PaperRow, Variant

SOURCE = "arXiv 1706.05587v3, Table {}"
OWN = {"again": "arXiv 1706.05587v3, Tables 1, 2, 5 and 10, as on VOC"}  # tables that are not there


@functools.cache
def load_paper_rows() -> dict[str, PaperRow]:
    """All rows by `row_id`, table by table, in the order of the paper."""
    text = files("deeplab.table").joinpath("paper.csv").read_text(encoding="utf-8")
    rows = map(_row, csv.DictReader(text.splitlines()))
    return {row.row_id: row for row in rows}


def _row(record: dict[str, str]) -> PaperRow:
    """The row of one line of `paper.csv`."""
    height, width = int(record["crop_height"]), int(record["crop_width"])
    return PaperRow(
        row_id=record["row_id"], dataset=record["dataset"], backbone=record["backbone"],
        output_stride=int(record["output_stride"]), crop_height=height, crop_width=width,
        base_lr=float(record["base_lr"]), weight_decay=float(record["weight_decay"]),
        batch_size=int(record["batch_size"]), train_split=record["train_split"],
        eval_split=record["eval_split"], inference=record["inference"],
        published_miou=float(record["published_miou"]) if record["published_miou"] else None,
        published_weights="",
        source=OWN.get(record["table"]) or SOURCE.format(record["table"]),
        table=record["table"], what=record["what"],
        checked=_flag(record["checked"]), iterations=int(record["iterations"]),
        trained_as=record["trained_as"],
        variant=Variant(**{one.name: _VARIES[one.name](record[one.name])
                           for one in fields(Variant)}))


def _flag(text: str) -> bool:
    return {"yes": True, "no": False}[text]


def _number(text: str) -> int | None:
    return int(text) if text else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))


def _factors(text: str) -> tuple[float, ...]:
    return tuple(map(float, text.split()))


_VARIES = {"blocks": _number, "multi_grid": _numbers, "aspp_rates": _numbers,
           "image_level": _flag, "eval_output_stride": _number, "scales": _factors,
           "flip": _flag, "label_downsampled": _flag, "train_norm": _flag}
