"""One writer at a time: lock files that the kernel frees on any death, so that none is stale."""

import contextlib
import os
import re
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from deeplab.support.errors import LockedError, ResourceError
from deeplab.support.files import disk_errors
from deeplab.support.own import no_link, regular_itself

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

TRAINER = "trainer.lock"  # in a run's folder: held by the process that trains, and names it
LOCK_SECONDS, RETRY_SECONDS = 0.3, 0.03  # `is_locked` elsewhere holds a lock for an instant


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = False, patience: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock file `path` while the block runs, after its owner if `wait`.

    Otherwise an owner is given `patience` seconds to end. Raises `LockedError` (E-LOCKED)
    naming the one that still holds it, and `ResourceError`: E-WRITE where the file cannot be made,
    E-LOCK where the file system, or Windows, has no locks.
    """
    if fcntl is None:
        raise ResourceError.of(
            "E-LOCK", "this system has no locks of files, without which no run is safe",
            found=sys.platform, expected="Linux or macOS", do="run this in WSL2 on Windows")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", encoding="utf-8", opener=no_link)
    with file:
        try:
            is_ours = _acquire(file, wait=wait, patience=patience)
        except OSError as error:
            raise ResourceError.of(
                "E-LOCK", "this file system has no locks, so two processes could write here",
                file=path.parent, found=error.strerror, expected="a disk where flock works",
                do="choose another disk (--results, --data-root), or mount this one with flock"
            ) from error
        if not is_ours:
            file.seek(0)
            raise LockedError.of("E-LOCKED", "another process is writing here", file=path.parent,
                                 found=file.read().strip() or "a process that left no name",
                                 do="wait until it ends, or stop that process")
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {socket.gethostname()} since "
                   f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" + _job())
        with disk_errors(path):
            file.flush()
        yield


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock file `path` now; false for what is no file of its own."""
    try:
        file = open(path, "rb", opener=regular_itself)
    except OSError:
        return False
    with file:
        if fcntl is None:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return isinstance(error, BlockingIOError)  # without locks nobody can hold one
        return False


def _job() -> str:
    """The SLURM job that this process is part of, in words."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{name}_ID") for name in ("JOB", "TASK"))
    job = f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")
    return f", SLURM job {job}" if job else ""


def job_of(path: Path) -> str | None:
    """The SLURM job whose process holds the lock file `path`, or held it last; None if none did."""
    try:
        with open(path, "rb", opener=regular_itself) as file:
            text = file.read(400).decode(errors="replace")
    except (OSError, ResourceError):
        return None
    found = re.search(r", SLURM job (\d{1,12}(?:_\d{1,9})?)$", text)
    return found[1] if found else None


def owner(path: Path) -> tuple[int, str] | None:
    """(process id, host) of the process that holds the lock file `path` now, if one does."""
    if not is_locked(path):
        return None
    with open(path, "rb", opener=regular_itself) as file:
        said = re.match(r"pid (\d{1,9}) on (\S{1,255}) ", file.read(400).decode(errors="replace"))
    return (int(said[1]), said[2]) if said else None


def _acquire(file: IO[str], *, wait: bool, patience: float) -> bool:
    if wait:
        fcntl.flock(file, fcntl.LOCK_EX)
        return True
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(RETRY_SECONDS)
    return False
