"""Run one row: `row.ipynb` through papermill, in a folder of its own, safe to repeat.

Doing it again after a kill, a stop or an error goes on from the last checkpoint; a row that is
done is left alone, and so is one whose result or checkpoint no longer fits, unless asked for.
The executed notebook replaces an older one only when it is whole, and `result.json` appears last.
"""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deeplab.runs.begin import RUNNER, begin, check_unchanged, current_mark, set_aside
from deeplab.runs.config import RunConfig
from deeplab.runs.events import check_tensorboard
from deeplab.runs.fingerprint import data_identity
from deeplab.runs.notebook import environment, execute, publish_notebook
from deeplab.runs.records import check_place
from deeplab.runs.result import damage, finished_result, promote_outcome, stale, standing
from deeplab.support.crash import crash_point
from deeplab.support.errors import DeeplabError, LockedError, Stopped
from deeplab.support.folders import PROJECT, check_clone
from deeplab.support.locks import TRAINER, locked, owner
from deeplab.support.own import sweep_temporaries, temporary_for
from deeplab.support.signals import PARENT, die_with_parent, signal_handler
from deeplab.training.signals import SAME_REQUEST_SECONDS

NOTEBOOKS = PROJECT / "notebooks"
SHARED_POLL_SECONDS = 1  # seconds between two tries to have a run that several rows share
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def run_row(config: RunConfig, *, again: bool = False) -> dict[str, Any]:
    """Bring one run to its end, as far as `config` asks, and return its result.

    With `again` what no longer fits, or is damaged, is set aside and made anew; without it that
    raises `UsageError` (E-STALE) or `DataError` (E-JSON, E-RECORD). Raises also E-TENSORBOARD
    where that is asked for and missing, what the notebook's cells raise (`DataError`,
    `DivergedError` ...), `LockedError` if another process has the run, `ResourceError` (E-LINK),
    `Stopped` after a signal, and `KernelDied`.
    """
    die_with_parent()
    check_clone()
    if config.tensorboard:
        check_tensorboard()
    check_place(config.folder)
    if config.training != config:
        _train_first(config.training, again=again)
    with locked(config.folder / RUNNER), forwarded_signals(config.folder):
        mark = current_mark(config)
        if again and damage(config, mark):
            set_aside(config.folder, "damaged")
        refusal = None if again else stale(config, mark)
        if refusal:
            raise refusal
        done = None if standing(config, mark).changed else finished_result(config)
        if done:
            return done
        data_identity(config)  # raises what opening the data would, before anything is written
        sweep_temporaries(config.folder)
        threads = str(begin(config, mark))
        with environment(**dict.fromkeys(THREAD_VARIABLES, threads), **{PARENT: str(os.getpid())}):
            _run_notebook(config, mark)
        crash_point("before-result")
        facts = promote_outcome(config)
        crash_point("after-result")
        return facts


def _train_first(config: RunConfig, *, again: bool) -> None:
    """Bring the run that others share to its end; whoever has it now is waited for."""
    while True:
        try:
            run_row(config, again=again)
            return
        except LockedError:
            time.sleep(SHARED_POLL_SECONDS)


def _run_notebook(config: RunConfig, mark: dict[str, Any]) -> None:
    """Execute the notebook and keep it; `mark` must still fit when it ends (E-CHANGED)."""
    kept = config.folder / "notebook.ipynb"
    draft = temporary_for(kept)
    (config.folder / "outcome.json").unlink(missing_ok=True)  # of an earlier attempt
    try:
        execute(NOTEBOOKS / "row.ipynb", draft, config.parameters, folder=config.folder)
        check_unchanged(config, mark)
    except (DeeplabError, KeyboardInterrupt) as error:
        publish_notebook(draft, kept,
                         error=error if isinstance(error, DeeplabError) else _stopped())
        raise
    publish_notebook(draft, kept)


@contextmanager
def forwarded_signals(folder: Path) -> Iterator[None]:
    """Pass signals (`support.signals.SIGNALS`) on to the training as a request to save and stop.

    Raises `Stopped` if nothing trains, or when a signal comes again two seconds later.
    """
    asked: list[float] = []

    def forward(number: int, frame: object) -> None:
        """Ask the training to save and stop; if nothing trains, end at once."""
        if asked and time.monotonic() - asked[0] < SAME_REQUEST_SECONDS:
            return
        asked.append(time.monotonic())
        trainer = owner(folder / TRAINER)
        if len(asked) > 1 or trainer is None or trainer[1] != socket.gethostname():
            raise KeyboardInterrupt
        os.kill(trainer[0], signal.SIGUSR1)

    try:
        with signal_handler(forward):
            yield
    except (KeyboardInterrupt, DeeplabError) as error:
        if not asked or isinstance(error, Stopped):
            raise
        raise _stopped() from None


def _stopped() -> Stopped:
    return Stopped.of("E-STOPPED", "stopped as asked",
                      do="run the same command again: it goes on from the last checkpoint")
