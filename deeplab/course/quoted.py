"""The paper's own tables as a lesson quotes them: its words and numbers, marked as quoted."""

import re

from deeplab.report.paper import TITLES
from deeplab.support.errors import unknown
from deeplab.support.plain import markdown_table
from deeplab.table.paper import load_paper_rows

MARK = ("*Quoted: Table {} of the paper, {}; mIoU in per cent on {}. Written down twice "
        "from memory, with the same numbers, and not checked against the paper itself. Nothing in "
        "it was measured here.*")
DATASETS = {"voc": "PASCAL VOC 2012 val", "cityscapes": "Cityscapes val"}


def quoted_rows(table: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and lines of a table of the paper; blocks are its columns where it has some.

    Raises `UsageError` (E-TABLE) for a table that `deeplab.table.paper` does not have.
    """
    if table not in TITLES:
        raise unknown("E-TABLE", "table of the paper", table, TITLES)
    rows = [row for row in load_paper_rows().values() if row.table == table]
    cells = [re.fullmatch(r"(.+), (block \d)", row.what) for row in rows]
    if not all(cells):
        return ("", "mIoU"), [(row.what, f"{row.published_miou:.2f}") for row in rows]
    lines: dict[str, list[str]] = {}
    for cell, row in zip(cells, rows, strict=True):
        lines.setdefault(cell[1], []).append(f"{row.published_miou:.2f}")
    header = "", *dict.fromkeys(cell[2] for cell in cells)
    return header, [(name, *scores) for name, scores in lines.items()]


def show_quoted(table: str) -> None:
    """Display a table of the paper below a line that says what it is."""
    from IPython.display import Markdown, display
    header, lines = quoted_rows(table)
    dataset = next(row.dataset for row in load_paper_rows().values() if row.table == table)
    mark = MARK.format(table, TITLES[table], DATASETS[dataset])
    display(Markdown(f"{mark}\n\n{markdown_table(header, lines)}"))
