"""Row by row: seeds and their interval, the verdict in words, time, provenance, departures.

HTML, and not Markdown, because its headings say whether they head a column or a row, and because
each row leads to its own page.
"""

import html
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deeplab.report.html import html_page
from deeplab.runs.deviations import DEVIATIONS
from deeplab.support.files import atomic_write
from deeplab.table.verdict import is_comparable, tolerance

PAGE, NOTEBOOK = "row.html", "notebook.ipynb"  # in the folder of a run
LEVEL = 0.95  # of the interval for the mean over seeds
HEADINGS = ("row and its pages", "mIoU (%), seeds", "against the published", "minutes",
            "made on", "departures")


def details(entries: Sequence[Mapping[str, Any]], folder: Path) -> str:
    """A table of the results that count, a line for each row; pages are linked from `folder`."""
    rows = {row_id: [entry for entry in entries if entry["row_id"] == row_id]
            for row_id in dict.fromkeys(entry["row_id"] for entry in entries)}
    head = "".join(f'<th scope="col">{name}</th>' for name in HEADINGS)
    numbers = sorted({number for entry in entries for number in entry["deviations"]})
    meaning = "".join(f"<li value=\"{item.number}\">{html.escape(item.text)}</li>"
                      for item in DEVIATIONS if item.number in numbers)
    return ('<div class="wide" tabindex="0" role="group" aria-label="Row by row">'
            f'<table><thead><tr>{head}</tr></thead><tbody>'
            + "".join(_line(runs, folder) for runs in rows.values())
            + f"</tbody></table></div><p>The departures, by their numbers:</p><ol>{meaning}</ol>")


def _line(runs: Sequence[Mapping[str, Any]], folder: Path) -> str:
    pages = " ".join(_link(run, folder) for run in runs)
    cells = (seeds_text([run["miou"] for run in runs]), published_text(runs),
             f"{sum(run['minutes'] for run in runs):.1f}", _made_on(runs[0]),
             ", ".join(map(str, sorted({n for run in runs for n in run["deviations"]}))))
    return (f'<tr><th scope="row">{html.escape(runs[0]["row_id"])} {pages}</th>'
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")


def _link(run: Mapping[str, Any], folder: Path) -> str:
    page, words = run["folder"] / PAGE, f"seed {run['seed']}"
    if not (run["folder"] / NOTEBOOK).is_file():
        return words
    return f'<a href="{quote(page.relative_to(folder).as_posix())}">{words}</a>'


def _made_on(run: Mapping[str, Any]) -> str:
    commit = f"commit {run['commit']}" + " with changes" * bool(run.get("dirty"))
    return (f"{run.get('gpu') or run['device']}, torch {run['torch']}, "
            f"{commit if run.get('commit') else 'no commit'}")


def interval(scores: Sequence[float]) -> tuple[float, float]:
    """Where the mean over seeds lies, by Student's t; of a single score nothing is known."""
    from scipy.stats import t
    half = (t.ppf((1 + LEVEL) / 2, len(scores) - 1) * statistics.stdev(scores)
            / len(scores) ** 0.5) if len(scores) > 1 else float("inf")
    return statistics.mean(scores) - half, statistics.mean(scores) + half


def seeds_text(scores: Sequence[float]) -> str:
    """Mean, spread and interval of the scores of several seeds.

    >>> seeds_text([50.0]), seeds_text([50.0, 51.0, 52.0])
    ('50.00 (one seed)', '51.00, spread 1.00, mean within 48.52 to 53.48 (3 seeds)')
    """
    if len(scores) == 1:
        return f"{scores[0]:.2f} (one seed)"
    low, high = interval(scores)
    return (f"{statistics.mean(scores):.2f}, spread {statistics.stdev(scores):.2f}, mean within "
            f"{low:.2f} to {high:.2f} ({len(scores)} seeds)")


def published_text(runs: Sequence[Mapping[str, Any]]) -> str:
    """What the seeds say about the published score, and why not more."""
    run, published = runs[0], runs[0]["published_miou"]
    if published is None:
        return "nothing is published"
    if not is_comparable(run["profile"]):
        return f"{published:.2f}, which says nothing about profile {run['profile']}"
    scores, allowed = [one["miou"] for one in runs], tolerance(run["dataset"])
    difference = statistics.mean(scores) - published
    low, high = (end - published for end in interval(scores))
    said = f"{published:.2f}, difference {difference:+.2f}"
    if len(scores) == 1:
        return (f"{said}, {'within' if abs(difference) <= allowed else 'beyond'} the tolerance of "
                f"{allowed}; one seed has no interval")
    if -allowed <= low and high <= allowed:
        return f"{said}: equivalent, its interval {low:+.2f} to {high:+.2f} is within {allowed}"
    if high < -allowed or low > allowed:
        return f"{said}: different, its interval {low:+.2f} to {high:+.2f} is beyond {allowed}"
    return (f"{said}: undecided, its interval {low:+.2f} to {high:+.2f} reaches across the "
            f"tolerance of {allowed}; more seeds narrow it")


def write_row_pages(entries: Sequence[Mapping[str, Any]]) -> None:
    """Make `row.html` of each executed notebook; raises `ResourceError`.

    Each time anew: a page that was there may be a stranger's, and the report leads to it.
    """
    for entry in entries:
        notebook = entry["folder"] / NOTEBOOK
        if not notebook.is_file():
            continue
        try:
            content = html_page(notebook)
        except (ValueError, LookupError, TypeError, AttributeError):  # a stranger's, which is none
            content = "<!DOCTYPE html><title>No notebook</title>notebook.ipynb cannot be shown."
        atomic_write(entry["folder"] / PAGE, content)
