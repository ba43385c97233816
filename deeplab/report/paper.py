"""The paper's tables beside what was measured here: `paper/` in the folder of a profile.

`table.csv`, `page.md`, the figures and `paper.html` are made from the result files alone. What
the paper reports and what was measured stand in columns of their own.
"""

import re
from collections.abc import Iterable, Sequence

from deeplab.report.effects import EFFECTS, Measured
from deeplab.report.page import Page
from deeplab.report.report import score_text
from deeplab.report.results import table_csv
from deeplab.support.files import atomic_write
from deeplab.support.plain import markdown_table
from deeplab.table.paper import load_paper_rows
from deeplab.table.row import PaperRow
from deeplab.table.verdict import is_comparable

TITLES = {"1": "output stride (ResNet-50, block 7)", "2": "deeper (output stride 16)",
          "3": "Multi-Grid (ResNet-101, output stride 16)",
          "4": "evaluating a cascade (ResNet-101, block 7, MG (1, 2, 1), trained at 16)",
          "5": "the pyramid (ResNet-101, output stride 16)",
          "6": "evaluating the pyramid (the last of Table 5)",
          "8": "crop, loss and BatchNorm (the last of Table 5)",
          "9": "batch (the last of Table 5)", "10": "Cityscapes (the last of Table 5)"}
OWN_TITLES = {"again": "Not in the paper: the questions of Tables 1, 2 and 5, asked of Cityscapes"}
NOTE = ("The paper's values are two recollections that agree; none was checked against the paper "
        "itself. Tables 7 and 11 are of test servers, and the last line of Table 6 is of a network "
        "pretrained on COCO: they cannot be run here.")
CHANCE = ("The rule was fixed before measuring: *shown* is a mean difference over seeds, paired, "
          "of at least two standard errors in the paper's direction, *contradicted* the same in "
          "the other. With three seeds chance alone passes two standard errors in 18 of 100 cases, "
          "half of them in either direction: read the map, not one cell.")


class PaperReport(Page):
    """The rows of the paper's tables."""

    notebook, of_paper, below = "paper.ipynb", True, "paper"

    def write_tables(self) -> None:
        """Write `table.csv` and `page.md`."""
        atomic_write(self.folder / "table.csv", table_csv(self.entries))
        atomic_write(self.folder / "page.md", f"# The paper's own tables\n\n{self.page}\n")

    @property
    def scores(self) -> dict[str, dict[int, float]]:
        """mIoU by row and seed, as `scores_by_cell` has it."""
        return scores_by_cell((entry["row_id"], entry["seed"], entry["miou"])
                              for entry in self.counted)

    @property
    def effects(self) -> list[Measured]:
        """Every ingredient that is compared, as the seeds show it."""
        scores = self.scores
        return [Measured.of(effect, scores) for effect in EFFECTS]

    @property
    def page(self) -> str:
        """The tables in Markdown, each as the paper has it, and what their numbers mean."""
        tables: dict[str, list[PaperRow]] = {}
        for row in load_paper_rows().values():
            tables.setdefault(row.table, []).append(row)
        level = "" if is_comparable(self.profile) else (
            f" Profile {self.profile} is another size of network, schedule and data: compare "
            "differences within a table, never levels.")
        return "\n\n".join([
            f"{len(self.scores)} of {len(load_paper_rows())} cells measured. {NOTE}{level}",
            *(f"## {OWN_TITLES.get(name) or f'Table {name}: {TITLES[name]}'}\n\n{self._table(rows)}"
              for name, rows in tables.items())])

    def _table(self, rows: Sequence[PaperRow]) -> str:
        """One table: a line for each cell, or a grid where blocks are the columns."""
        cells = [re.fullmatch(r"(.+), (block \d)", row.what) for row in rows]
        here = f"{self.profile} mIoU (%), mean ± 2 standard errors"
        if not all(cells):
            header = ["", "the paper reports (%)", here]
            return markdown_table(header, [[row.what, reported_text(row), self._score(row)]
                                      for row in rows])
        columns = list(dict.fromkeys(cell[2] for cell in cells))
        parts = []
        for title, text in (("the paper reports (%)", reported_text),
                            (here, self._score)):
            lines: dict[str, list[str]] = {}
            for cell, row in zip(cells, rows, strict=True):
                lines.setdefault(cell[1], []).append(text(row))
            parts.append(markdown_table([title, *columns], [[name, *texts]
                                                       for name, texts in lines.items()]))
        return "\n\n".join(parts)

    def _score(self, row: PaperRow) -> str:
        return score_text([*self.scores.get(row.row_id, {}).values()], errors=True)

    @property
    def effect_lines(self) -> list[tuple[str, str, str, str]]:
        """(ingredient, the paper's difference, ours, judgement) of every effect."""
        return [(one.effect.ingredient, f"{one.effect.reported:+.2f}", one.words, one.judgement)
                for one in self.effects]


def scores_by_cell(measured: Iterable[tuple[str, int, float]]) -> dict[str, dict[int, float]]:
    """mIoU by row and seed of (row, seed, mIoU); one experiment's cells have the same scores."""
    found: dict[str, dict[int, float]] = {}
    for row_id, seed, miou in measured:
        found.setdefault(same_cell(row_id), {})[seed] = miou
    return {row_id: found[same_cell(row_id)] for row_id in load_paper_rows()
            if same_cell(row_id) in found}


def same_cell(row_id: str) -> str:
    """The row that stands for all that are the same experiment: one training, one evaluation."""
    row = load_paper_rows()[row_id]
    if not row.trained_as:
        return row_id
    trained = load_paper_rows()[row.trained_as]
    return trained.row_id if row.variant == trained.variant else row_id


def reported_text(row: PaperRow) -> str:
    """What the paper reports in a cell, in per cent; a dash for a cell that is not in it."""
    return "—" if row.published_miou is None else f"{row.published_miou:.2f}"
