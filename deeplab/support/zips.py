"""Zip archives whose list of members is bounded before Python reads it.

Python's reader makes an object of every entry in that list, however many a file of a few
megabytes may claim, before anybody can look at one.
"""

import contextlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

ENTRY = b"PK\x01\x02"  # how an entry of the list begins
ENTRY_BYTES = 200  # that an entry may take, on average: names, times, owners


class TooMany(zipfile.BadZipFile):
    """A list of more members than are read."""


class _Careful(io.BufferedReader):
    """A file of which no list of more than `members` entries can be read."""

    members: int | None = None  # None: whatever is asked for

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes; raises `TooMany`."""
        if self.members is not None and (size or 0) > ENTRY_BYTES * self.members:
            raise TooMany(f"a list of members of {size:,} bytes")
        content = super().read(size)
        if self.members is not None and content.count(ENTRY) > self.members:
            raise TooMany(f"more than {self.members:,} members")
        return content


@contextlib.contextmanager
def open_zip(path: Path | str, *, members: int) -> Iterator[zipfile.ZipFile]:
    """The zip archive at `path`, of at most `members` members.

    Raises `TooMany`, and what `zipfile` raises for one that is damaged.
    """
    with _Careful(io.FileIO(path)) as file:
        file.members = members
        with zipfile.ZipFile(file) as archive:
            file.members = None
            yield archive
