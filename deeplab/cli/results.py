"""Commands that read results: report, compare, status."""

import sys
from pathlib import Path

import click

from deeplab.cli.options import PROFILE, RESULTS, say


@click.command()
@PROFILE
@RESULTS
@click.option("--open", "is_opened", is_flag=True, help="show the page in the browser")
def report(profile: str, results_root: Path | None, is_opened: bool) -> None:
    """Rebuild tables, figures and reports from the results that are there."""
    from deeplab.profiles import get_profile
    from deeplab.report.paper import PaperReport, make_paper_page
    from deeplab.report.report import Report, make_report
    from deeplab.support.folders import results_folder
    from deeplab.support.errors import DataError
    root, name = results_root or results_folder(), get_profile(profile).name
    pages = [make_report(root, name)]
    if PaperReport.of(profile=name, results_root=str(root)).entries:
        pages.append(make_paper_page(root, name))
    for page in pages:
        say(page)
        if is_opened:
            click.launch(page.as_uri())
    damaged = Report.of(profile=name, results_root=str(root)).damaged
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
@RESULTS
def status(profile: str, results_root: Path | None) -> None:
    """What runs, how far it is, and what stopped."""
    from deeplab.profiles import get_profile
    from deeplab.report.results import run_folders, run_state
    from deeplab.runs.status import status_line
    from deeplab.support.errors import DataError
    from deeplab.support.folders import results_folder
    from deeplab.table.rows import which_table
    found = run_folders(results_root or results_folder(), get_profile(profile).name)
    table, code = "the published table", 0
    for row_id, seed, folder in found:
        if which_table(row_id) != table:
            table = which_table(row_id)
            say(f"{table}:")
        status, lines = run_state(folder)
        say(status_line(row_id + (f" seed {seed}" if seed else ""), status))
        for line in lines:
            say(f"    {line}")
        if status.state == "damaged":
            code = DataError.exit_code
    if not found:
        say(f"no runs of profile {profile} yet; start one with: deeplab run voc_r50_d8")
    sys.exit(code)
