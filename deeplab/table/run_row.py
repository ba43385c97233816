"""Run one row: `row.ipynb` through papermill, in a folder of its own, safe to repeat.

Doing it again after a kill, a stop or an error goes on from the last checkpoint; a row that is
done is left alone. The executed notebook replaces an older one only when it is whole, and
`result.json` appears last.
"""

from __future__ import annotations

import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deeplab import errors
from deeplab.errors import DeeplabError, KernelDied, Stopped
from deeplab.files import (PROJECT, TEMPORARY, crash_point, locked, read_json, read_json_lines,
                           replace_file, sweep_temporaries, write_json)
from deeplab.table.config import RunConfig
from deeplab.table.fingerprint import changed, fingerprint, surroundings
from deeplab.table.results import finished_result, promote_outcome

NOTEBOOKS = PROJECT / "notebooks"
GRACE = 60  # seconds that a kernel gets to end after it was told to


def run_row(config: RunConfig) -> dict[str, Any]:
    """Bring one run to its end, as far as `config` asks, and return its result.

    Raises what the notebook's cells raise (`DataError`, `DivergedError` ...), `LockedError` if
    another process has the run, `Stopped` after a signal, and `KernelDied`.
    """
    with locked(config.folder / "lock"):
        done = finished_result(config)
        if done:
            return done
        sweep_temporaries(config.folder)
        mark = fingerprint(config)
        _prepare_folder(config, mark)
        output = config.folder / f"{TEMPORARY}notebook.ipynb"
        try:
            execute(NOTEBOOKS / "row.ipynb", output, config.parameters, folder=config.folder)
        finally:
            if is_whole(output):
                replace_file(output, config.folder / "notebook.ipynb")
        different = changed(mark, fingerprint(config))
        if different:
            raise errors.UsageError.of(
                "E-CHANGED", "something changed while the row ran; its result is not kept",
                file=config.folder, found=", ".join(different), do="run the same command again")
        crash_point("before-result")
        return promote_outcome(config)


def _prepare_folder(config: RunConfig, mark: dict[str, str]) -> None:
    """Write `run.json`; what an older version of the run left is set aside, never mixed in."""
    record = config.folder / "run.json"
    if record.exists():
        before = read_json(record)["fingerprint"]
        if not changed(before, mark):
            return
        aside = config.folder.with_name(f"{config.folder.name}.old-{before['code'][:6]}")
        number = 1
        while aside.exists():
            aside, number = aside.with_name(f"{aside.name.split('~')[0]}~{number}"), number + 1
        aside.mkdir()
        for path in config.folder.iterdir():
            if path.name != "lock":
                replace_file(path, aside / path.name)
    write_json(record, {"parameters": config.parameters, "fingerprint": mark,
                        "started": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
                        "surroundings": surroundings()})


def execute(notebook: Path, output: Path, parameters: dict[str, Any], *, folder: Path) -> None:
    """Execute a notebook with papermill into `output`; errors of its cells become ours.

    The kernel talks over sockets in a private folder: two kernels that start at once on
    TCP can take each other's port. Raises `KernelDied` (E-KERNEL) with the last logged step.
    """
    import papermill
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config
    logging.getLogger("papermill").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="dl") as sockets, forwarded_signals(folder) as asked:
        settings = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/k",
                                             "shutdown_wait_time": GRACE}})
        try:
            papermill.execute_notebook(str(notebook), str(output), parameters, config=settings,
                                       kernel_name="python3", cwd=str(notebook.parent),
                                       progress_bar=False, autosave_cell_every=60)
        except papermill.PapermillExecutionError as error:
            raise _as_ours(error) from None
        except (DeadKernelError, RuntimeError) as error:
            if asked:
                raise Stopped.of("E-STOPPED", "stopped as asked",
                                 do="run the same command again: it goes on") from None
            raise _kernel_died(folder, error) from None


def _as_ours(error: Any) -> DeeplabError:
    """The error that a cell raised, of the class it had in the kernel."""
    kind = getattr(errors, error.ename, None)
    if isinstance(kind, type) and issubclass(kind, DeeplabError):
        return kind(str(error.evalue))
    return DeeplabError.of("E-CELL", f"a cell of the notebook failed: {error.ename}",
                           found=error.evalue, do="open notebook.ipynb in the run's folder")


def _kernel_died(folder: Path, error: Exception) -> KernelDied:
    last = next(reversed(list(read_json_lines(folder / "log.jsonl"))), None)
    return KernelDied.of(
        "E-KERNEL", "the notebook's kernel ended without a word", file=folder,
        found=f"last logged step: {last['step'] if last else 'none'} ({error})",
        expected="often the system's out-of-memory killer",
        do="free memory, then run the same command again: it goes on from the last checkpoint")


@contextmanager
def forwarded_signals(folder: Path) -> Iterator[list[int]]:
    """Pass SIGINT, SIGTERM and SIGUSR1 on to the training as a request to save and stop.

    Yields the list of signals that came. The second one ends this process as usual.
    """
    asked: list[int] = []

    def forward(number: int, frame: object) -> None:
        asked.append(number)
        trainer = folder / "trainer.pid"
        if len(asked) > 1 or not trainer.exists():
            raise KeyboardInterrupt
        os.kill(int(trainer.read_text()), signal.SIGUSR1)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    previous = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def is_whole(path: Path) -> bool:
    """Whether `path` is a readable, valid notebook."""
    import nbformat
    try:
        nbformat.validate(nbformat.read(path, as_version=4))
    except (OSError, ValueError, nbformat.ValidationError):
        return False
    return True
