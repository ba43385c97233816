"""The members of a tar archive in order, up to its end and no further than they may be read.

Python's reader takes a damaged header for the end of the archive, and reads a long name or a
pax header of any length into memory. Here each is an error.
"""

import bz2
import gzip
import lzma
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

OPENERS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}  # by first bytes
HEADERS = 2**20  # bytes that the headers of one member may take
SHARED = 16  # facts that global headers may state of all members; git writes one
CHUNK = 2**16  # bytes


def tar_members(archive: Path, room: int) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """(entry, its content if it is a regular file) of each member; read it before the next one.

    `room` is how many bytes may come out of it, with all headers. Raises `tarfile.ReadError`
    for more, for a header that is damaged or too long, an archive without an end and one that
    goes on after it, and what a broken compression raises.
    """
    with open(archive, "rb") as raw:
        first = raw.read(6)
        raw.seek(0)
        opener = next((one for magic, one in OPENERS.items() if first.startswith(magic)), None)
        stream = Bounded(opener(raw) if opener else raw, room)
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=Entry) as file:
            while (entry := file.next()) is not None:
                stream.left = entry.size + HEADERS + CHUNK
                if len(file.pax_headers) > SHARED:
                    raise tarfile.ReadError("global headers that state more than any archive does")
                yield entry, file.extractfile(entry) if entry.isreg() else None
                file.members = []  # or all of them stay in memory, with their headers
            stream.left = float("inf")
            while rest := file.fileobj.read(CHUNK):
                if rest.strip(b"\0"):
                    raise tarfile.ReadError("something follows the end of the archive")


class Entry(tarfile.TarInfo):
    """An entry whose header must be whole: only a block of zeros ends an archive."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        """The entry in a header of 512 bytes; see `tarfile.TarInfo.frombuf`."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not buf.strip(b"\0"):
                raise
            raise tarfile.ReadError(f"a damaged header, or no end: {error}") from error


class Bounded:
    """A stream from which `left` bytes may be read before more are granted, `room` in all."""

    def __init__(self, file: IO[bytes], room: int):
        self.file, self.left, self.room = file, float(HEADERS), room

    def read(self, size: int) -> bytes:
        """The next bytes; raises `tarfile.ReadError` beyond what is left."""
        content = self.file.read(size)
        self.left, self.room = self.left - len(content), self.room - len(content)
        if self.left < 0 or self.room < 0:
            raise tarfile.ReadError("headers that are longer than any name" if self.room >= 0 else
                                    "more bytes than it may hold")
        return content
