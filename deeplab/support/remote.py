"""A file on a server, and how to know that what arrived is that file.

Where a checksum was published, length and checksum decide. Where none was, the SHA-256 of the
first file is recorded beside it in `NAME.sha256`, and later ones must equal it.
"""

import hashlib
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from deeplab.support.errors import DataError
from deeplab.support.files import atomic_write, sha256


@dataclass(frozen=True)
class Remote:
    """A file on a server, and how to know that it is the right one."""

    url: str
    gigabytes: float  # about; a server that sends twice as much is cut off
    checksum: str | None = None  # "sha256:0676ba61": an algorithm and the digest or its start
    length: int | None = None  # bytes, where known exactly

    @property
    def name(self) -> str:
        """The name of the file."""
        return urllib.parse.unquote(urllib.parse.urlsplit(self.url).path).rpartition("/")[2]


def check(path: Path, remote: Remote) -> None:
    """Raise `DataError` (E-HASH) unless the file has the length and checksum it must have."""
    expected = remote.checksum or recorded(path, remote)
    algorithm, _, wanted = (expected or "sha256:").partition(":")
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    length = path.stat().st_size
    if not found.startswith(wanted) or remote.length not in (None, length) or length == 0:
        raise wrong_file(path, remote, f"{length:,} bytes, {algorithm} {found}, "
                         f"{_beginning(path)}", expected)


def recorded(path: Path, remote: Remote) -> str | None:
    """The checksum that `record` noted beside `path`, None if there is none."""
    note = path.with_name(f"{remote.name}.sha256")
    return f"sha256:{note.read_text(encoding='utf-8').split()[0]}" if note.exists() else None


def record(path: Path, remote: Remote) -> None:
    """Note the SHA-256 of a file without a published checksum, as `sha256sum -c` reads it."""
    if remote.checksum is None and recorded(path, remote) is None:
        atomic_write(path.with_name(f"{remote.name}.sha256"), f"{sha256(path)}  {remote.name}\n")


def wrong_file(path: Path, remote: Remote, found: str, checksum: str | None) -> DataError:
    """The error for a file that is not the expected one."""
    length = f"{remote.length:,} bytes, " if remote.length else ""
    kept = "delete that file, then run" if path.suffix != ".part" else "nothing was kept; run"
    return DataError.of(
        "E-HASH", "this is not the expected file", file=f"{remote.url} -> {path}",
        found=found, expected=length + (checksum or "a file with content"),
        do=f"{kept} the same command again, or get the file by hand and put it at "
           f"{path.with_name(remote.name)}")


def _beginning(path: Path) -> str:
    with open(path, "rb") as file:
        first = file.read(15)
    page = " (a web page)" if first.lstrip()[:1] == b"<" else ""
    return f"starts with {first!r}{page}"
