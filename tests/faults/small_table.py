"""The demo made smaller: rows of eight steps on a few pictures, in this process or in others.

`shrink()` works in the process that calls it (and its forks). Processes that a test starts get
the same from `sitecustomize.py` in `site/`, which Python imports first if PYTHONPATH names it.
"""

import hashlib
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import nbformat
from toy_training import in_child, log_lines, newest_state, state_digest

from deeplab.data import scenes
from deeplab.data.miniature import miniature
from deeplab.profiles import PROFILES

SITE = Path(__file__).parent / "site"
STEPS, TIMES = 8, {"minutes", "peak_memory_mb", "dirty", "commit"}  # `TIMES` differ from run to run
ROWS = ("voc_r50_d16", "context59_r50_d8")


def shrink() -> None:
    """Eight steps of four images, checkpoints after each, evaluations after 4 and 8."""
    PROFILES["demo"] = replace(PROFILES["demo"], steps=STEPS, batch_size=4, evaluations=2,
                               shrink=15)


def draw_twins(data_root: Path) -> Path:
    """Twins of twelve training and three evaluation images for `ROWS`."""
    for name in ("voc", "context"):
        sizes = scenes.vocabulary()["sets"][name]
        before = sizes["train"], sizes["val"]
        sizes.update(train=12, val=3)
        try:
            miniature(name, data_root)
        finally:
            sizes.update(train=before[0], val=before[1])
    return data_root


def environment(results: Path, **more: str) -> dict[str, str]:
    """For a `deeplab` process: the small table, one thread, and no orphan's variables."""
    drop = ("DEEPLAB_CRASH", "DEEPLAB_CRASH_VISITS", "DEEPLAB_PARENT")
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    return kept | {"PYTHONPATH": str(SITE), "OMP_NUM_THREADS": "1",
                   "DEEPLAB_RESULTS": str(results)} | more


def row_digest(folder: Path) -> str:
    """Everything that a finished run must have in common with an undisturbed one."""
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    facts = {name: value for name, value in result.items() if name not in TIMES}
    text = json.dumps([facts, log_lines(folder)]) + state_digest(newest_state(folder))
    return hashlib.sha256(text.encode()).hexdigest()


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


__all__ = ["ROWS", "damaged_files", "draw_twins", "environment", "in_child", "kill", "row_digest",
           "shrink"]
