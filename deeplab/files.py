"""The only place where files are written: whole, or not at all.

`atomic_write` puts the bytes into a temporary file in the same folder, flushes them to
the disk and only then renames it over the final name, so that whatever happens a reader
finds the old file or the new one and never a part of one. `JsonLines` is the one file that
grows: an append-only log whose length is stored with every checkpoint.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from deeplab.errors import DataError, LockedError, ResourceError

PROJECT = Path(__file__).parents[1]  # the clone; holds notebooks/, data/ and results/
TEMPORARY = ".tmp-"  # prefix of every temporary name; leftovers of a killed process are swept
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def data_folder() -> Path:
    """Where datasets lie unless a command says otherwise: $DEEPLAB_DATA or the project's data/."""
    return Path(os.environ.get("DEEPLAB_DATA") or PROJECT / "data")


def results_folder() -> Path:
    """Where runs are written: $DEEPLAB_RESULTS or the project's results/."""
    return Path(os.environ.get("DEEPLAB_RESULTS") or PROJECT / "results")


def crash_point(name: str) -> None:
    """Kill this process here if the test variable DEEPLAB_CRASH names this point.

    `DEEPLAB_CRASH=name:3` kills at the third visit. Used by the resume tests only; a
    named point is exact where a timed kill is only likely.
    """
    wanted = os.environ.get("DEEPLAB_CRASH", "")
    if not wanted or wanted.partition(":")[0] != name:
        return
    visits = int(os.environ.get("DEEPLAB_CRASH_VISITS", "0")) + 1
    os.environ["DEEPLAB_CRASH_VISITS"] = str(visits)
    if visits >= int(wanted.partition(":")[2] or 1):
        os.kill(os.getpid(), signal.SIGKILL)


def atomic_write(path: Path | str, content: bytes | str | Callable[[IO[bytes]], None]) -> Path:
    """Write `content` to `path` so that no reader ever sees half of it.

    `content` is bytes, text (UTF-8) or a function that writes to the open binary file.
    Raises `ResourceError` (E-DISK) when the disk is full; an older file is then intact.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{TEMPORARY}{os.getpid()}-{path.name}"
    try:
        with open(temporary, "wb") as file:
            crash_point(f"write-begin-{path.name}")
            if callable(content):
                content(file)
            else:
                file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            crash_point(f"write-flushed-{path.name}")
            os.fsync(file.fileno())
        crash_point(f"write-synced-{path.name}")
        replace_file(temporary, path)
    except OSError as error:
        if error.errno in FULL_DISK:
            raise disk_full(path) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
    crash_point(f"write-done-{path.name}")
    return path


def replace_file(source: Path, target: Path) -> None:
    """Move `source` over `target` in one step, and make the move last."""
    os.replace(source, target)
    _sync_folder(target.parent)


def disk_full(path: Path) -> ResourceError:
    """The error for a disk that cannot take `path`, with what is free beside what is asked."""
    free = shutil.disk_usage(path.parent).free
    return ResourceError.of(
        "E-DISK", f"no space to write {path.name}; what was there before is intact",
        file=path, found=f"{free / 1e6:,.0f} MB free on that disk (or a quota or size limit)",
        expected="room for the whole file",
        do="free space, or choose another disk with --results, then run the same command again")


def sweep_temporaries(folder: Path) -> None:
    """Remove the temporary files that a killed writer left below `folder`."""
    for leftover in Path(folder).rglob(f"{TEMPORARY}*"):
        with contextlib.suppress(FileNotFoundError):
            leftover.unlink()


def write_json(path: Path | str, value: Any) -> Path:
    """Write `value` as indented JSON, atomically; NaN is refused, because JSON has none."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return atomic_write(path, text + "\n")


def read_json(path: Path | str) -> Any:
    """The content of a JSON file; raises `DataError` (E-JSON) naming the file if it is broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError.of("E-JSON", "not a JSON file", file=path, found=error,
                           do="delete the file and run the same command again") from error


def sha256(path: Path | str) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class JsonLines:
    """An append-only log, one JSON object per line.

    `size` is the length in bytes that a checkpoint stores; opening with that `size` cuts
    off what was logged after the checkpoint, so that no line appears twice after a resume.
    """

    def __init__(self, path: Path, size: int | None = None):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = open(path, "ab")
        if size is not None:
            self._file.truncate(size)
            self._file.seek(size)

    @property
    def size(self) -> int:
        """Length in bytes of everything logged so far, on disk."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def write(self, **fields: Any) -> None:
        """Append one line and hand it to the operating system at once."""
        line = json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self._file.write(line.encode("utf-8"))
            self._file.flush()
        except OSError as error:
            if error.errno in FULL_DISK:
                raise disk_full(self.path) from error
            raise

    def close(self) -> None:
        """Close the file; further writes fail."""
        self._file.close()


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Each whole line of a log; a last line that is still being written is left out."""
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path`; the kernel frees it on any death, so no lock is ever stale.

    Raises `LockedError` (E-LOCKED) naming the owner if another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LockedError.of("E-LOCKED", "this run is being written by another process",
                                 file=path.parent, found=file.read().strip() or "its owner",
                                 do="wait until it ends, or stop that process") from None
        file.truncate(0)
        file.write(f"pid {os.getpid()} on {socket.gethostname()} since "
                   f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        file.flush()
        yield


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock file `path` now."""
    if not path.exists():
        return False
    with open(path, encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False
