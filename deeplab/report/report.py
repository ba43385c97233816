"""The report over all rows of a profile: `table.csv`, `table.md`, figures and a page to open.

The numbers come from the result files alone. Published and reproduced scores stand in columns
of their own whose headings carry the profile.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from deeplab.report.details import write_row_pages
from deeplab.report.page import Page
from deeplab.report.results import published_here, table_csv
from deeplab.support.files import atomic_write
from deeplab.support.plain import markdown, markdown_line
from deeplab.table.rows import get_row, load_rows
from deeplab.table.verdict import is_comparable

MANY = 3  # seeds from which on a mean and a deviation say more than the scores themselves
PUBLISHED_HERE = "published weights, evaluated here"  # a column where there are such
HEADER = ("row", "backbone", "output stride", "published mIoU (%), real data, full recipe",
          "{} mIoU (%), {}", "images", "minutes", "state")
DATA = {"demo": "miniature twin", "small": "own data, slim network",
        "medium": "real data, short schedule", "full": "real data"}


class Report(Page):
    """The table's rows, and rows of the user's own datasets."""

    notebook = "report.ipynb"

    def write_tables(self) -> None:
        """Write `table.csv`, `own.csv`, `table.md` and a page for each run."""
        if any(entry["row_id"] not in load_rows() for entry in self.entries):
            atomic_write(self.folder / "own.csv", table_csv(self.own))
        atomic_write(self.folder / "table.csv", table_csv(self.done))
        atomic_write(self.folder / "table.md", self.page + "\n")
        write_row_pages(self.entries)

    @property
    def done(self) -> list[Mapping[str, Any]]:
        """The table's results that count."""
        return [entry for entry in self.counted if entry["row_id"] in load_rows()]

    @property
    def own(self) -> list[Mapping[str, Any]]:
        """Results of the user's own datasets that count; they stand outside the table."""
        return [entry for entry in self.counted if entry["row_id"] not in load_rows()]

    @property
    def page(self) -> str:
        """`table.md`: a title, the table, and what its numbers mean."""
        rows = len({entry["row_id"] for entry in self.done})
        note = ("" if is_comparable(self.profile) else
                f"The two mIoU columns are **not comparable**: profile {self.profile} is another "
                "size of network, schedule and data. Compare the order of the rows, not levels.\n")
        return (f"# The table, profile {self.profile}\n\n{rows} of {len(load_rows())} rows done. "
                f"{note}\n{self.table}\n{self.own_table}"
                + "".join(f"\n{line}\n" for line in self.notes))

    @property
    def table(self) -> str:
        """All 16 rows in Markdown, those without a result too."""
        header = [name.format(self.profile, DATA[self.profile]) for name in HEADER]
        rule = [":---", ":---", *["---:"] * 5, ":---"]
        lines = [header, rule, *(self._cells(row_id) for row_id in load_rows())]
        here = self.here
        if here:
            scores = (self._here(here.get(row_id, {})) for row_id in load_rows())
            for line, cell in zip(lines, [PUBLISHED_HERE, "---:", *scores], strict=True):
                line.append(cell)
        return "\n".join(map(markdown_line, lines))

    @staticmethod
    def _here(facts: Mapping[str, Any]) -> str:
        """The cell of published weights, with what is known of them."""
        score = facts.get("miou")
        return "damaged" if "problem" in facts else "—" if score is None else f"{score:.2f}"

    @property
    def own_table(self) -> str:
        """A section with the rows of the user's own datasets that were started, if any."""
        rows = [row_id for row_id in dict.fromkeys(entry["row_id"] for entry in self.entries)
                if row_id not in load_rows()]
        if not rows:
            return ""
        header = ["row", "backbone", "output stride", f"{self.profile} mIoU (%)", "images",
                  "minutes", "state"]
        cells = ([*line[:3], *line[4:]] for line in map(self._cells, rows))  # nothing is published
        lines = [header, [":---", ":---", *["---:"] * 4, ":---"], *cells]
        return "\n## Rows of your own, outside the table\n\n" + "".join(
            markdown_line(line) + "\n" for line in lines)

    def _cells(self, row_id: str) -> list[str]:
        row = get_row(row_id)
        runs = [entry for entry in self.entries if entry["row_id"] == row_id]
        done = [entry for entry in runs if entry["state"] == "done"]
        states = dict.fromkeys(entry["state"] + " (noted)" * bool(entry["noted"]) for entry in runs)
        minutes = f"{sum(entry['minutes'] for entry in done):.1f}" if done else "—"
        return [row_id, row.backbone, str(row.output_stride), 
                "—" if row.published_miou is None else f"{row.published_miou:.2f}",
                score_text([entry["miou"] for entry in done]),
                str(done[0]["num_images"]) if done else "—", minutes,
                ", ".join(states) or "not run"]

    @property
    def left_out(self) -> list[str]:
        """Why a run that was started is not in the table, one sentence for each, in Markdown."""
        reasons = {"stale": "stale, because something it rests on has changed since: {changed}",
                   "incomplete": "incomplete, stopped early on purpose ({steps} of {total_steps} "
                                 "steps)",
                   "unscored": "without a score: no pixel of its evaluation images is labelled",
                   "unfinished": "unfinished: it runs, or it was stopped"}
        return [f"{entry['row_id']}, seed {entry['seed']}: " + reasons[entry["state"]].format(
                    **entry | {"changed": ", ".join(entry["changed"])})
                for entry in self.entries if entry["state"] in reasons] + [
            markdown(line) for line in self.damaged]

    @property
    def damaged(self) -> list[str]:
        """What holds something that no run leaves there, a line for each."""
        return [f"{entry['row_id']}, seed {entry['seed']}: damaged: {entry['problem']}"
                for entry in self.entries if entry["state"] == "damaged"] + [
            f"{row_id}, published weights: damaged: {facts['problem']}"
            for row_id, facts in self.here.items() if "problem" in facts]

    @property
    def here(self) -> dict[str, dict[str, Any]]:
        """What `published_here` finds."""
        return published_here(self.results_root, self.profile)

    @property
    def notes(self) -> list[str]:
        """Libraries whose patch release has changed since results that count were made."""
        return [f"Noted: {entry['row_id']}, seed {entry['seed']}, was made with "
                f"{markdown('; '.join(entry['noted']))}." for entry in self.counted
                if entry["noted"]]


def score_text(scores: Sequence[float], *, errors: bool = False) -> str:
    """The scores of a row's seeds as text: mean ± deviation (count) of three or more, or each.

    With `errors`, two standard errors of the mean stand for the deviation.

    >>> score_text([50.0, 51.0]), score_text([50.0, 51.0, 52.0]), score_text([])
    ('50.00 / 51.00', '51.00 ± 1.00 (3)', '—')
    >>> score_text([50.0, 51.0, 52.0], errors=True)
    '51.00 ± 1.15 (3)'
    """
    if len(scores) >= MANY:
        spread = statistics.stdev(scores) * (2 / len(scores) ** 0.5 if errors else 1)
        return f"{statistics.mean(scores):.2f} ± {spread:.2f} ({len(scores)})"
    return " / ".join(f"{score:.2f}" for score in scores) or "—"
