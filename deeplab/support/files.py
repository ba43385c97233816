"""The only place where files are written: whole, or not at all.

`atomic_write` puts the bytes into a temporary file in the same folder, flushes them to the
disk and only then renames it over the final name: whatever happens, a reader finds the old
file or the new one. `JsonLines` is the one file that grows, a log whose length is stored with
every checkpoint.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from deeplab.support.crash import crash_point
from deeplab.support.errors import CheckpointError, DataError, DeeplabError, ResourceError
from deeplab.support.own import linked, no_link, regular, regular_itself, temporary_for
from deeplab.support.strict_json import LARGEST, parse

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LONGEST_LINE = 2**20  # bytes of a line of a log
BAD_JSON = "correct the file; if deeplab wrote it, remove it and run the same command again"


def atomic_write(path: Path | str, content: bytes | str | Callable[[IO[bytes]], None]) -> Path:
    """Write `content` to `path` so that no reader ever sees half of it.

    `content` is bytes, text (UTF-8) or a function that writes to the open binary file.
    Raises `ResourceError` (E-DISK, E-WRITE); an older file is then intact.
    """
    path = Path(path)
    temporary = temporary_for(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "xb", opener=no_link) as file:
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
        finally:
            temporary.unlink(missing_ok=True)
    crash_point(f"write-done-{path.name}")
    return path


def replace_file(source: Path, target: Path) -> None:
    """Move `source` over `target` in one step, and make the move last."""
    os.replace(source, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # or a power cut undoes the move
    finally:
        os.close(folder)


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the refusal to write `path` into `ResourceError`: E-DISK, E-LINK, E-WRITE."""
    try:
        yield
    except Exception as error:
        refusal = error if isinstance(error, OSError) else error.__context__
        if isinstance(error, DeeplabError) or getattr(refusal, "errno", None) is None:
            raise  # torch.save is the one that hides an OSError behind an error of its own
        if refusal.errno in FULL_DISK:
            raise disk_full(path) from error
        if refusal.errno == errno.ELOOP:
            raise linked(path, "a symbolic link") from error
        raise ResourceError.of("E-WRITE", f"cannot write {path.name}", file=path,
                               found=refusal.strerror, expected="a folder that can be written to",
                               do="correct its permissions, or choose another folder "
                                  "(--results, --data-root)") from error


def disk_full(path: Path) -> ResourceError:
    """The error for a disk that cannot take `path`, with what is free on it."""
    there = next(folder for folder in path.absolute().parents if folder.exists())
    return ResourceError.of(
        "E-DISK", f"no space to write {path.name}; what was there before is intact", file=path,
        found=f"{shutil.disk_usage(there).free / 1e6:,.0f} MB free (or a quota or size limit)",
        do="free space, or choose another disk (--results, --data-root); then run it again")


def write_json(path: Path | str, value: Any) -> Path:
    """Write `value` as indented JSON, atomically; NaN is refused, because JSON has none."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return atomic_write(path, text + "\n")


def read_json(path: Path | str, *, largest: int = LARGEST, links: bool = True) -> Any:
    """The content of a JSON file of at most `largest` bytes, as `strict_json.parse` has it.

    A link in its place is followed only with `links`. Raises `DataError` (E-JSON) if it is
    missing, broken, too large or no regular file.
    """
    try:
        with open(path, "rb", opener=regular if links else regular_itself) as file:
            content = file.read(largest + 1)
    except (OSError, ValueError) as error:  # of a path that cannot be one
        raise DataError.of("E-JSON", "cannot read a JSON file", file=path, do=BAD_JSON,
                           found=getattr(error, "strerror", error)) from error
    return _parsed(content, path, largest)


def sha256(path: Path | str) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class JsonLines:
    """An append-only log, one JSON object per line.

    `size` is the length in bytes that the last checkpoint stored, 0 for a new log; the rest is
    cut off, so that no line appears twice after a resume. `digest` is that of these bytes.
    Raises `CheckpointError` (E-LOG) if the file is shorter or has another one.
    """

    def __init__(self, path: Path, size: int, digest: str | None = None):
        self.path = path
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # unbuffered: each line reaches the system at once
            self._file = open(path, "a+b", buffering=0, opener=no_link)
            length = self._file.tell()
            self._file.seek(0)
            self._hash = hashlib.sha256(self._file.read(size))
        if length < size:
            raise self._refused("shorter", f"{length} bytes", f"at least {size} bytes")
        if digest not in (None, self.digest):
            raise self._refused("another", f"SHA-256 {self.digest[:12]} of {size} bytes",
                                digest[:12])
        self._file.seek(self._file.truncate(size))

    def _refused(self, how: str, found: str, expected: str) -> CheckpointError:
        self.close()
        return CheckpointError.of(
            "E-LOG", f"the log is {how} than the checkpoint says", file=self.path, found=found,
            expected=expected,
            do="put the log back, or remove the run's folder to start from zero")

    @property
    def digest(self) -> str:
        """SHA-256 of everything logged so far, as it was meant to be written."""
        return self._hash.hexdigest()

    @property
    def size(self) -> int:
        """Length in bytes of everything logged so far, on disk."""
        with disk_errors(self.path):
            os.fsync(self._file.fileno())
        return self._file.tell()

    def write(self, **fields: Any) -> None:
        """Append one line; NaN is refused. Raises `ResourceError` (E-DISK) on a full disk."""
        line = (json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")
        with disk_errors(self.path):
            written = self._file.write(line)
            self._hash.update(line[:written])
            if written < len(line):
                raise OSError(errno.ENOSPC, "only a part of the line was written")

    def close(self) -> None:
        """Close the file; further writes fail."""
        self._file.close()


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Each whole line of a log; a last line that is still being written is left out.

    Nothing if there is no file. Raises `DataError` (E-JSON) for a line that is damaged or too
    long, and for what is no regular file.
    """
    try:
        file = open(path, "rb", opener=regular_itself)
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError.of("E-JSON", "cannot read a log", file=path, found=error.strerror,
                           do=BAD_JSON) from error
    with file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), start=1):
            if line.endswith(b"\n") or len(line) > LONGEST_LINE:
                yield _parsed(line, f"{path}, line {number}", LONGEST_LINE)


def _parsed(content: bytes, source: object, largest: int) -> Any:
    try:
        return parse(content, largest=largest)
    except ValueError as error:  # of JSON, of UTF-8, of depth
        raise DataError.of("E-JSON", "this is not JSON", file=source, found=error,
                           do=BAD_JSON) from error


def open_output(path: Path) -> IO[bytes]:
    """A new, empty file for what another process prints; unlike all others it may end anywhere."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "wb", opener=no_link)
