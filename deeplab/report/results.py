"""All runs of a profile, read from their folders, as one table."""

import shlex
from pathlib import Path
from typing import Any

from deeplab.runs.config import RunConfig
from deeplab.runs.result import Standing, standing
from deeplab.support.files import atomic_write, read_json
from deeplab.table.rows import load_rows, own_rows

COLUMNS = ("row_id", "profile", "seed", "dataset", "backbone", "output_stride", "published_miou",
           "miou", "num_images", "eval_split", "inference", "steps", "complete", "minutes",
           "parameters", "gmacs", "peak_memory_mb", "device", "threads", "backbone_weights",
           "deviations", "commit", "dirty", "torch")


def collect(results_root: Path, profile: str) -> list[dict[str, Any]]:
    """One entry per row and seed that was started, in the order of the table, then own rows.

    Each has `row_id`, `seed`, `folder`, `state` ("done", "stale", "incomplete", "unscored" or
    "unfinished"), `changed` (what made it stale), `noted` (libraries whose patch release differs
    since) and, if there is a result, its facts.
    """
    return [_entry(folder, row_id, seed)
            for row_id, seed, folder in run_folders(results_root, profile)]


def published_here(results_root: Path, profile: str) -> dict[str, dict[str, Any]]:
    """By row: the results of published weights that `deeplab evaluate` scored here."""
    paths = {row_id: results_root / profile / row_id / "published.json" for row_id in load_rows()}
    return {row_id: read_json(path) for row_id, path in paths.items() if path.exists()}


def run_folders(results_root: Path, profile: str) -> list[tuple[str, int, Path]]:
    """(row_id, seed, folder) of every run that was started: the table's in its order, own ones."""
    top, rows = results_root / profile, list(load_rows())
    if any(folder.parent.name not in rows for folder in top.glob("*/seed*")):
        rows += own_rows()  # a faulty entry is no concern of who has no such runs
    found = {row_id: {int(folder.name.removeprefix("seed")): folder
                      for folder in (top / row_id).glob("seed*")
                      if folder.name.removeprefix("seed").isdigit()} for row_id in rows}
    return [(row_id, seed, folder) for row_id, seeds in found.items()
            for seed, folder in sorted(seeds.items())]


def run_command(folder: Path) -> list[str]:
    """The words of the `deeplab` command that goes on with the run in `folder`."""
    if (folder / "run.json").exists():
        return run_config(folder).command
    outcome = folder / "outcome.json"  # of a notebook that no runner executed
    if outcome.exists() and "command" in (facts := read_json(outcome)):
        return shlex.split(facts["command"])[1:]
    return ["run", folder.parent.name]


def run_standing(folder: Path) -> Standing:
    """How what lies in the folder of a run stands to today's code, data and libraries."""
    return standing(run_config(folder)) if (folder / "run.json").exists() else Standing()


def run_config(folder: Path) -> RunConfig:
    """What the run in `folder` was asked to do, for the place where its folder lies now."""
    parameters = read_json(folder / "run.json")["parameters"]
    return RunConfig.of(**parameters | {"results_root": str(folder.parents[2])})


def _entry(folder: Path, row_id: str, seed: int) -> dict[str, Any]:
    entry = {"row_id": row_id, "seed": seed, "folder": folder, "state": "unfinished",
             "changed": [], "noted": []}
    if not (folder / "result.json").exists():
        return entry
    fit = standing(run_config(folder))
    facts = read_json(folder / "result.json")
    state = ("stale" if fit.changed else "incomplete" if not facts["complete"] else
             "unscored" if facts["miou"] is None else "done")
    return {**facts, **entry, "state": state, "changed": [*fit.changed], "noted": [*fit.noted]}


def table_csv(entries: list[dict[str, Any]]) -> str:
    """`table.csv`: a header, then one line for each result that fits and is complete."""
    import pandas  # takes longer than all that the commands which read results do
    done = [{**entry, "deviations": " ".join(map(str, entry["deviations"]))}
            for entry in entries if entry["state"] == "done"]
    return pandas.DataFrame(done, columns=COLUMNS, dtype=object).to_csv(
        index=False, lineterminator="\n")


def write_table(results_root: Path, profile: str) -> Path:
    """Write `table.csv` of a profile from its results, and `own.csv`; returns the first's path.

    `own.csv` has the rows of the user's own datasets, where such were run.
    """
    entries, folder = collect(results_root, profile), results_root / profile
    own = [entry for entry in entries if entry["row_id"] not in load_rows()]
    if own:
        atomic_write(folder / "own.csv", table_csv(own))
    return atomic_write(folder / "table.csv", table_csv(
        [entry for entry in entries if entry["row_id"] in load_rows()]))
