"""`run.json`, the first file of a run: what was asked, and on which code, data and libraries.

`run_row` writes it before the notebook starts. A training that it did not start, of papermill,
JupyterLab or torchrun alone, writes the same here, and leads to the same `result.json`.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deeplab.prepare.manifest import expect_unchanged
from deeplab.runs.config import RunConfig
from deeplab.runs.fingerprint import changed, file_states, fingerprint, software
from deeplab.runs.records import check_place, read_run, run_config
from deeplab.runs.result import promote_outcome, stale
from deeplab.support.errors import UsageError
from deeplab.support.files import replace_file, write_json
from deeplab.support.locks import TRAINER, is_locked
from deeplab.support.machine import thread_count
from deeplab.support.seal import sealed

RUNNER = "lock"  # in a run's folder: held by `run_row` while its notebook runs


def current_mark(config: RunConfig) -> dict[str, Any]:
    """The fingerprint as it is at this moment."""
    file_states.cache_clear()
    return fingerprint(config)


def begin(config: RunConfig, mark: dict[str, Any], threads: int | None = None) -> int:
    """Write `run.json`, or set aside what an older version of the run left; returns the threads.

    A run keeps the number of threads it began with, because sums in another order round
    differently; `threads` is that of a new one (default: `thread_count`).
    """
    record = config.folder / "run.json"
    if record.exists():
        before = read_run(config.folder)
        old = before["fingerprint"]
        if not changed(old, mark):
            return before.get("threads", thread_count())
        set_aside(config.folder, old.get("code", "unknown")[:6])
    threads = threads or thread_count()
    write_json(record, sealed({
        "parameters": config.parameters, "fingerprint": mark, "threads": threads,
        "started": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "surroundings": software()}))
    return threads


def begin_alone(config: RunConfig, ranks: int = 1) -> int | None:
    """What `run_row` does first, for a training in `ranks` processes that it did not start.

    Every process of a training calls it before it reads an image. From then on images and labels
    of a verified dataset are compared with its manifest, which is a part of the fingerprint.
    Returns the threads of the run, None if `run_row` waits for this training. Raises
    `UsageError` (E-STALE) for a result or checkpoints that no longer fit.
    """
    if config.profile.name != "demo":
        expect_unchanged(config.real_data_root / f"manifest-{config.row.dataset}.json")
    if is_locked(config.folder / RUNNER):
        return None
    check_place(config.folder)
    mark = current_mark(config)
    refusal = stale(config, mark)
    if refusal:
        raise refusal
    return begin(config, mark, thread_count() * ranks)


def finish_alone(folder: Path) -> bool:
    """Make a result of the outcome in `folder`, unless `run_row` waits to do so.

    Returns whether it did. Raises `UsageError` (E-CHANGED).
    """
    if is_locked(folder / RUNNER):
        return False
    config = run_config(folder)
    check_unchanged(config, read_run(folder)["fingerprint"])
    promote_outcome(config)
    return True


def check_unchanged(config: RunConfig, mark: dict[str, Any]) -> None:
    """Raise `UsageError` (E-CHANGED) if the fingerprint is no longer `mark`."""
    different = changed(mark, current_mark(config))
    if different:
        raise UsageError.of(
            "E-CHANGED", "something changed while the row ran; its result is not kept",
            file=config.folder, found=", ".join(different),
            do="undo the change and run the same command, or add --again to begin anew")


def set_aside(folder: Path, code: str) -> None:
    """Move what is in `folder` to `<folder>.old-<code>`, or to a name like it that is free.

    `run.json` goes last: as long as it is there, a killed move is begun again.
    """
    aside, number = folder.with_name(f"{folder.name}.old-{code}"), 1
    while aside.exists():
        aside, number = aside.with_name(f"{aside.name.split('~')[0]}~{number}"), number + 1
    aside.mkdir()
    for path in sorted(folder.iterdir(), key=lambda path: path.name == "run.json"):
        if path.name not in (RUNNER, TRAINER):
            replace_file(path, aside / path.name)
