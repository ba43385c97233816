"""All runs of a profile, read from their folders, as one table."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deeplab.runs.parameters import command_words
from deeplab.runs.queue import QueuedJob, ending
from deeplab.runs.records import (check_facts, check_place, other_command, read_log,
                                  read_published, read_result, run_config)
from deeplab.runs.result import Standing, standing
from deeplab.runs.status import Status, problem, read_status, whereabouts
from deeplab.support.errors import DeeplabError
from deeplab.support.plain import cell
from deeplab.table.paper import load_paper_rows
from deeplab.table.rows import load_rows, own_rows

COLUMNS = ("row_id", "profile", "seed", "dataset", "backbone", "output_stride", "published_miou",
           "miou", "num_images", "eval_split", "inference", "steps", "complete", "minutes",
           "parameters", "gmacs", "peak_memory_mb", "device", "threads", "backbone_weights",
           "deviations", "commit", "dirty", "torch")
RUN_FOLDER = re.compile("seed(0|[1-9][0-9]{0,8})", re.ASCII)


def collect(results_root: Path, profile: str, *, of_paper: bool = False) -> list[dict[str, Any]]:
    """One entry per row and seed that was started, in the order of the table, then own rows.

    With `of_paper`, of the rows of the paper's tables instead, in their order.
    Each has `row_id`, `seed`, `folder`, `state` ("done", "stale", "incomplete", "unscored",
    "unfinished" or "damaged"), `problem` (what is damaged, in one line), `changed` (what made it
    stale), `noted` (libraries whose patch release differs since) and, if there is a result, its
    facts.
    """
    return [_entry(folder, row_id, seed)
            for row_id, seed, folder in run_folders(results_root, profile)
            if (row_id in load_paper_rows()) == of_paper]


def published_here(results_root: Path, profile: str) -> dict[str, dict[str, Any]]:
    """By row: the results of published weights that `deeplab evaluate` scored here.

    One that is damaged has a `problem` instead of facts.
    """
    found = {}
    for row_id in load_rows():
        path = results_root / profile / row_id / "published.json"
        if path.exists():
            try:
                found[row_id] = read_published(path, row_id, profile)
            except DeeplabError as error:
                found[row_id] = {"problem": problem(path.parent, error)}
    return found


def run_folders(results_root: Path, profile: str) -> list[tuple[str, int, Path]]:
    """(row_id, seed, folder) of every run that was started: the table's, own ones, the paper's."""
    top, rows, paper = results_root / profile, list(load_rows()), list(load_paper_rows())
    if any(folder.parent.name not in [*rows, *paper] for folder in top.glob("*/seed*")):
        rows += own_rows()  # a faulty entry is no concern of who has no such runs
    rows += paper
    found = {row_id: {int(match[1]): folder for folder in (top / row_id).glob("seed*")
                      if (match := RUN_FOLDER.fullmatch(folder.name))} for row_id in rows}
    return [(row_id, seed, folder) for row_id, seeds in found.items()
            for seed, folder in sorted(seeds.items())]


def run_state(folder: Path, queued: Mapping[Path, QueuedJob] = MappingProxyType({}),
              ) -> tuple[Status, list[str]]:
    """How the run in `folder` stands, and lines that say more of it: for `deeplab status`.

    `queued` are the jobs of SLURM for runs, by folder: a run that has one goes on by itself.
    """
    try:
        status = read_status(folder)
        if status.state in ("done", "ended"):
            _found(folder)
        fit, command = run_standing(folder), run_command(folder)
        whole = run_command(folder, whole=True)
    except (DeeplabError, OSError) as error:
        status = Status("damaged", problem=problem(folder, error))
    if status.state == "damaged":
        words = {"row_id": folder.parts[-2], "profile": folder.parts[-3],
                 "seed": int(folder.name.removeprefix("seed"))}
        return status, [status.problem, "set it aside and make it anew with: deeplab "
                        + shlex.join([*command_words(words), "--again"])]
    job, lines = queued.get(folder), fit.lines
    if status.state == "ended":
        lines = [*lines, f"ended early, as asked; the whole with: deeplab {shlex.join(whole)}"]
    if status.state in ("stopped", "waiting") and job:
        return replace(status, state=job.state), [*lines, job.line]
    if status.state == "stopped" and status.job:
        lines = [*lines, f"its SLURM job {status.job} has ended: {ending(status.job) or 'lost'}"]
    more = whereabouts(status, [*command, *["--again"] * bool(fit.changed)])
    return status, [*lines, *[more] * bool(more)]


def run_command(folder: Path, *, whole: bool = False) -> list[str]:
    """The words of the `deeplab` command that goes on with the run in `folder`.

    With `whole` it goes on to the end of the schedule, wherever the run was asked to stop.
    """
    if (folder / "run.json").exists():
        config = run_config(folder)
        return (replace(config, max_steps=None) if whole else config).command
    return other_command(folder)


def run_standing(folder: Path) -> Standing:
    """How what lies in the folder of a run stands to today's code, data and libraries."""
    return standing(run_config(folder)) if (folder / "run.json").exists() else Standing()


def _entry(folder: Path, row_id: str, seed: int) -> dict[str, Any]:
    entry = {"state": "unfinished", "problem": "", "changed": [], "noted": []}
    place = {"row_id": row_id, "seed": seed, "folder": folder}
    try:
        return entry | _found(folder) | place
    except (DeeplabError, OSError) as error:
        return entry | {"state": "damaged", "problem": problem(folder, error)} | place


def _found(folder: Path) -> dict[str, Any]:
    """The facts of a result, and whether they count; raises what a damaged file raises."""
    check_place(folder)
    for _ in read_log(folder):
        pass  # whoever draws it later can rely on it
    if not (folder / "result.json").exists():
        return {}
    config, facts = run_config(folder), read_result(folder)
    fit = standing(config)
    if not fit.changed:
        check_facts(folder, facts, config)
    state = ("stale" if fit.changed else "incomplete" if not facts["complete"] else
             "unscored" if facts["miou"] is None else "done")
    return {**facts, "state": state, "changed": [*fit.changed], "noted": [*fit.noted]}


def table_csv(entries: list[dict[str, Any]]) -> str:
    """`table.csv`: a header, then one line for each result that fits and is complete."""
    import pandas  # takes longer than all that the commands which read results do
    done = [{key: cell(value) for key, value in entry.items()}
            | {"deviations": " ".join(map(str, entry["deviations"]))}
            for entry in entries if entry["state"] == "done"]
    return pandas.DataFrame(done, columns=COLUMNS, dtype=object).to_csv(
        index=False, lineterminator="\n")
