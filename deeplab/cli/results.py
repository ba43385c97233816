"""Commands that read results: report, compare, status."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from deeplab.cli.options import PROFILE, RESULTS_FOLDER, say

WATCH_SECONDS = 5  # between two looks of `deeplab status --watch`
AT_WORK = ("starting", "running", "pending", "configuring", "completing")


@click.command()
@PROFILE
@RESULTS_FOLDER
@click.option("--open", "is_opened", is_flag=True, help="show the page in the browser")
def report(profile: str, results_root: Path, is_opened: bool) -> None:
    """Rebuild tables, figures and reports from the results that are there."""
    from deeplab.report.paper import PaperReport
    from deeplab.report.report import Report
    from deeplab.support.errors import DataError
    pages = [Report.make(results_root, profile)]
    if PaperReport.of(profile=profile, results_root=str(results_root)).entries:
        pages.append(PaperReport.make(results_root, profile))
    for page in pages:
        say(page)
        if is_opened:
            click.launch(page.as_uri())
    damaged = Report.of(profile=profile, results_root=str(results_root)).damaged
    for line in damaged:
        say(line, err=True)
    sys.exit(DataError.exit_code if damaged else 0)


@click.command()
@click.argument("first", type=click.Path(exists=True, path_type=Path))
@click.argument("second", type=click.Path(exists=True, path_type=Path))
def compare(first: Path, second: Path) -> None:
    """Set two results beside each other, with an interval for the difference of their mIoU.

    FIRST and SECOND are results folders, of which all runs in common are compared, or two runs
    (results/demo/voc_r50_d8/seed0), or results of `deeplab evaluate`.
    """
    from deeplab.report.compare import compare as compared
    for line in compared(first, second):
        say(f"{line.name:<32} {line.first:6.2f} {line.second:6.2f}  {line.words}")


@click.command()
@PROFILE
@RESULTS_FOLDER
@click.option("--watch", is_flag=True, help="show it again and again, until nothing is at work")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def status(profile: str, results_root: Path, watch: bool, as_json: bool) -> None:
    """What runs, where and how far, what waits in SLURM's queue, and what stopped."""
    from deeplab.profiles import get_profile
    from deeplab.support.errors import DataError
    name = get_profile(profile).name
    while True:
        found = _standings(results_root, name)
        if watch and not as_json:
            click.clear()  # on a terminal only
        _say_json(found) if as_json else _say_table(found, name)
        if not watch or not any(status.state in AT_WORK for *_, status, _ in found):
            break
        time.sleep(WATCH_SECONDS)
    sys.exit(DataError.exit_code if any(status.state == "damaged" for *_, status, _ in found)
             else 0)


def _standings(root: Path, profile: str) -> list[tuple[str, int, Path, Any, list[str]]]:
    """Row, seed, folder, status and lines of each run, those too that only wait in a queue."""
    from deeplab.report.results import run_folders, run_state
    from deeplab.runs.queue import queued_jobs
    queued = queued_jobs(root, profile)
    found = run_folders(root, profile)
    found += [(folder.parent.name, int(folder.name.removeprefix("seed")), folder)
              for folder in queued if folder not in {place for *_, place in found}]
    return [(row_id, seed, folder, *run_state(folder, queued)) for row_id, seed, folder in found]


def _say_table(found: list, profile: str) -> None:
    from deeplab.runs.status import status_line
    from deeplab.table.rows import which_table
    table = "the published table"
    for row_id, seed, _, status, lines in found:
        if which_table(row_id) != table:
            table = which_table(row_id)
            say(f"{table}:")
        say(status_line(row_id + (f" seed {seed}" if seed else ""), status))
        for line in lines:
            say(f"    {line}")
    if not found:
        say(f"no runs of profile {profile} yet; start one with: deeplab run voc_r50_d8")


def _say_json(found: list) -> None:
    click.echo(json.dumps([
        {"row_id": row_id, "seed": seed, "folder": str(folder), **asdict(status),
         "progress": status.progress, "lines": lines}
        for row_id, seed, folder, status, lines in found], indent=1))
