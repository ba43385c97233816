"""The demo made smaller: rows of eight steps on a few pictures, in this process or in others.

`shrink()` works in the process that calls it (and its forks). Processes that a test starts get
the same from `sitecustomize.py` in `site/`, which Python imports first if PYTHONPATH names it.
"""

import hashlib
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import nbformat
from toy_training import (KILLED, exit_code, forked, in_child, log_lines, newest_state,
                          newest_step, run_digest, state_digest)

from deeplab.miniature import drawing
from deeplab.miniature.twins import miniature
from deeplab.profiles import PROFILES
from deeplab.runs import fingerprint, run_row
from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.runs.facts import outcome_facts, save_outcome
from deeplab.training import loop

SITE = Path(__file__).parent / "site"
STEPS = 8
TIMES = {"minutes", "peak_memory_mb", "dirty", "commit", "command", "log", "digest"}  # differ
ROWS = ("voc_r50_d16", "context59_r50_d8")
PLACES = ("begin", "flushed", "synced", "done")  # of a write at which a process may be killed


def writes(name: str) -> list[str]:
    """The crash points of writing the file `name`."""
    return [f"write-{place}-{name}" for place in PLACES]


# Every named point, in the order in which one run after the other reaches them, with the step
# of the newest checkpoint that the kill there must leave. Evaluations of three images follow
# steps 4 and 8.
CHAIN = [*((point, 0) for point in [*writes("run.json"), "step:1"]),
         *((point, 2) for point in [*writes("step-0000003.pt"), "checkpoint-before-manifest",
                                    *writes("checkpoints.json")[:3]]),
         ("write-done-checkpoints.json", 3), ("evaluation:2", 4), ("step:2", 5),
         *((point, 8) for point in ["evaluation:3", *writes("outcome.json"), "before-notebook",
                                    *writes("notebook.ipynb"), "before-result", "after-result"])]
POINTS = [point for point, _ in CHAIN]


def shrink() -> None:
    """Eight steps of four images, checkpoints after each, evaluations after 4 and 8."""
    PROFILES["demo"] = replace(PROFILES["demo"], steps=STEPS, batch_size=4, evaluations=2,
                               shrink=15, paper_steps=None)


def quick_rows() -> None:
    """Rows of this process train without a kernel, and whoever edits the code meanwhile."""
    shrink()
    run_row.execute, fingerprint.code_identity = execute_here, lambda: ["this code"]


def execute_here(path, draft, parameters, *, folder) -> None:
    """What the notebook of a row does, without a kernel and without figures."""
    os.environ.pop("DEEPLAB_PARENT", None)  # meant for a process of its own
    slow_down()
    experiment = Experiment(RunConfig.of(**parameters))
    outcome = experiment.train()
    save_outcome(folder, outcome_facts(experiment, outcome, gmacs=1.0))
    cells = [nbformat.v4.new_code_cell("1", execution_count=1)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), draft)


def slow_down() -> None:
    """Make each step of this process TEST_PAUSE seconds longer."""
    loop.train_step = slowed(loop.train_step, float(os.environ.get("TEST_PAUSE", 0)))


def slowed(function, pause: float):
    """`function`, `pause` seconds later."""
    def later(*arguments, **options):
        time.sleep(pause)
        return function(*arguments, **options)
    return later if pause else function


def draw_twins(data_root: Path, names=("voc", "context")) -> Path:
    """Twins of twelve training and three evaluation images for `ROWS`."""
    for name in names:
        sizes = drawing.vocabulary()["sets"][name]
        before = sizes["train"], sizes["val"]
        sizes.update(train=12, val=3)
        try:
            miniature(name, data_root)
        finally:
            sizes.update(train=before[0], val=before[1])
    return data_root


def config_of(row_id: str, results: Path, data_root: Path, **more) -> RunConfig:
    """The run of a row below `results`."""
    return RunConfig.of(row_id=row_id, results_root=str(results), data_root=str(data_root), **more)


def reference_digests(results: Path, data_root: Path, rows=ROWS) -> dict[str, str]:
    """The digest of an undisturbed run of each of `rows`, made below `results`."""
    def run(config):
        os.environ["OMP_NUM_THREADS"] = "1"
        quick_rows()
        run_row.run_row(config)

    digests = {}
    for row_id in rows:
        config = config_of(row_id, results, data_root)
        assert in_child(run, config) == 0
        digests[row_id] = row_digest(config.folder)
    assert len(set(digests.values())) == len(rows)
    return digests


def environment(**more: str) -> dict[str, str]:
    """Variables for `deeplab` processes of the small table, with one thread.

    TEST_QUICK=1 leaves out the kernel, TEST_PAUSE slows each step down by so many seconds,
    TEST_CRASH=ROW=POINT kills the process of one row at a named point, TEST_RANK=RANK=POINT one
    rank of those that train together, and TEST_STARTS names a file into which each row writes
    that it starts.
    """
    drop = ("DEEPLAB_CRASH", "DEEPLAB_CRASH_VISITS", "DEEPLAB_PARENT")
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    path = os.pathsep.join([str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return kept | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | more


def command(*words: object) -> list[str]:
    """The command line `deeplab words`."""
    return [sys.executable, "-m", "deeplab", *map(str, words)]


def row_digest(folder: Path) -> str:
    """Everything that a finished run must have in common with an undisturbed one."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    facts = {name: value for name, value in result.items() if name not in TIMES}
    text = json.dumps([facts, log_lines(folder)]) + state_digest(newest_state(folder))
    return hashlib.sha256(text.encode()).hexdigest()


def logged_step(folder: Path) -> int:
    """The step of the last whole line of a run's log, -1 if there is none."""
    log = folder / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
    return max((json.loads(line)["step"] for line in lines if line.endswith("\n")), default=-1)


def damaged_files(results: Path) -> list[Path]:
    """Notebooks, JSON files and logs below `results` that cannot be read, and temporary files."""
    bad = list(results.rglob(".tmp-*"))
    for path in results.rglob("*"):
        try:
            if path.suffix == ".ipynb" and not path.name.startswith(".tmp-"):
                nbformat.validate(nbformat.read(path, as_version=4))
            elif path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            bad.append(path)
    return bad


def kill(process_id: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may have ended."""
    try:
        os.kill(process_id, number)
    except ProcessLookupError:
        pass


__all__ = ["CHAIN", "KILLED", "POINTS", "ROWS", "command", "config_of", "damaged_files",
           "draw_twins", "environment", "execute_here", "exit_code", "forked", "in_child", "kill",
           "logged_step", "newest_step", "quick_rows", "reference_digests", "row_digest",
           "run_digest", "shrink"]
