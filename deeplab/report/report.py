"""The report over all rows of a profile: `table.csv`, `table.md`, figures and a page to open.

The numbers come from the result files alone. Published and reproduced scores stand in columns
of their own whose headings carry the profile.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from deeplab.report.details import write_row_pages
from deeplab.report.html import html_page
from deeplab.report.results import collect, published_here, root_and_profile, write_table
from deeplab.runs.notebook import execute, publish_notebook
from deeplab.support.files import atomic_write
from deeplab.support.folders import PROJECT, check_clone
from deeplab.support.own import refuse_linked, temporary_for
from deeplab.support.plain import markdown, markdown_line
from deeplab.table.rows import get_row, load_rows
from deeplab.table.verdict import is_comparable

NOTEBOOK = PROJECT / "notebooks" / "report.ipynb"
MANY = 3  # seeds from which on a mean and a deviation say more than the scores themselves
PUBLISHED_HERE = "published weights, evaluated here"  # a column where there are such
HEADER = ("row", "backbone", "output stride", "published mIoU (%), real data, full recipe",
          "{} mIoU (%), {}", "images", "minutes", "state")
DATA = {"demo": "miniature twin", "small": "own data, slim network",
        "medium": "real data, short schedule", "full": "real data"}


def make_report(results_root: Path | str, profile: str) -> Path:
    """Write everything that the report consists of; returns the path of `report.html`.

    Raises what the cells of `report.ipynb` raise, and `UsageError` for an unknown profile.
    """
    check_clone()
    report = Report.of(profile=profile, results_root=str(results_root))
    folder = report.folder
    check_folder(folder)
    write_table(report.results_root, profile)
    atomic_write(folder / "table.md", report.page + "\n")
    write_row_pages(report.entries)
    return executed_page(NOTEBOOK, folder, {"profile": profile,
                                            "results_root": str(report.results_root)})


def check_folder(folder: Path) -> None:
    """Raise `ResourceError` (E-LINK) where the folder of a page, or of its figures, is a link."""
    for place in (folder, folder / "figures"):
        refuse_linked(place)


def executed_page(notebook: Path, folder: Path, parameters: dict[str, str]) -> Path:
    """Execute `notebook` into `folder`, and write it there as a page too; returns the page."""
    draft = temporary_for(folder / notebook.name)
    execute(notebook, draft, parameters, folder=folder)
    publish_notebook(draft, folder / notebook.name)
    return atomic_write((folder / notebook.name).with_suffix(".html"),
                        html_page(folder / notebook.name))


@dataclass(frozen=True)
class Report:
    """All runs of one profile that were started, as `collect` describes them."""

    results_root: Path
    profile: str
    entries: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, **given: Any) -> Self:
        """The report for the parameters of `report.ipynb`.

        Raises `UsageError`: E-PARAMETER for a parameter that does not exist, E-PROFILE.
        """
        root, profile = root_and_profile(given)
        return cls(root, profile, collect(root, profile))

    @property
    def folder(self) -> Path:
        """Where the report is written."""
        return self.results_root / self.profile

    @property
    def done(self) -> list[Mapping[str, Any]]:
        """The table's results that count: complete, and of today's code, data and libraries."""
        return [entry for entry in self.entries
                if entry["state"] == "done" and entry["row_id"] in load_rows()]

    @property
    def own(self) -> list[Mapping[str, Any]]:
        """Results of the user's own datasets that count; they stand outside the table."""
        return [entry for entry in self.entries
                if entry["state"] == "done" and entry["row_id"] not in load_rows()]

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
                f"{markdown('; '.join(entry['noted']))}." for entry in [*self.done, *self.own]
                if entry["noted"]]

    @property
    def minutes(self) -> float:
        """Training and evaluation of all results that count, one after the other."""
        return sum(entry["minutes"] for entry in [*self.done, *self.own])

    @property
    def deviations(self) -> list[int]:
        """The numbers of the departures from the recipe that any result makes."""
        return sorted({number for entry in [*self.done, *self.own]
                       for number in entry["deviations"]})


def score_text(scores: Sequence[float]) -> str:
    """The scores of a row's seeds as text: mean ± deviation (count) of three or more, or each.

    >>> score_text([50.0, 51.0]), score_text([50.0, 51.0, 52.0]), score_text([])
    ('50.00 / 51.00', '51.00 ± 1.00 (3)', '—')
    """
    if len(scores) >= MANY:
        return f"{statistics.mean(scores):.2f} ± {statistics.stdev(scores):.2f} ({len(scores)})"
    return " / ".join(f"{score:.2f}" for score in scores) or "—"
