"""Unpack a tar or zip archive that nobody has to trust.

Only regular files and folders come out, below one folder, under plain names, within limits
of size and number; anything else in the part that is wanted is refused, and then nothing at
all comes out. Python's own extraction follows links out of the folder in some versions.
"""

import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deeplab.prepare.tar_stream import tar_members
from deeplab.support.errors import DataError
from deeplab.support.folders import write_folder
from deeplab.support.zips import open_zip

MAX_NAME, MAX_DEPTH = 200, 16  # bytes of one part of a path; parts
DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError,
          NotImplementedError, ValueError)  # what the readers raise for a broken archive


class Member(NamedTuple):
    """One entry of an archive."""

    name: str
    kind: str  # "file", "folder" or what else it is
    size: int  # bytes, as the archive says
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Limits:
    """How much may come out of an archive; generous for photographs, tight for bombs."""

    members: int = 500_000
    file_bytes: int = 2**28
    ratio: int = 50  # bytes out for a byte in; photographs have 1, compressed labels up to 20
    slack: int = 2**24  # bytes that may come out of even the smallest archive


def unpack(archive: Path, target: Path, *, below: str, only: tuple[str, ...] = ("",),
           limits: Limits = Limits(), progress: Callable[[str], None] = lambda name: None) -> Path:
    """Unpack the folder `below` of `archive` as the folder `target`: all of it, or nothing.

    `only` names the folders and files in it that are wanted; `progress` is called with each
    name. Raises `DataError`: E-ARCHIVE for an archive that is damaged, hostile or without the
    folder, and `ResourceError` as `write_folder` does.
    """
    try:
        return write_folder(target, _wanted(archive, below, only, limits, progress))
    except DAMAGE as error:
        if isinstance(error, DataError):
            raise
        raise _refused(archive, f"{type(error).__name__}: {error}", "a whole archive") from error


def _wanted(archive: Path, below: str, only: tuple[str, ...], limits: Limits,
            progress: Callable[[str], None]) -> Iterator[tuple[str, bytes]]:
    """(name below `below`, content) of the files that are wanted, each one checked."""
    room = archive.stat().st_size * limits.ratio + limits.slack
    prefix = below.rstrip("/") + "/" if below else ""
    names, found = Names(archive), 0
    for number, member in enumerate(_members(archive, limits.members, room)):
        name = names.plain(member.name)
        if number >= limits.members:
            raise _refused(archive, f"more than {number:,} members", "a dataset", member)
        inside = name.removeprefix(prefix)
        if not name.startswith(prefix) or not inside.startswith(only):
            room -= member.size  # a stream is decompressed even where nothing of it is wanted
            if room < 0 or member.size < 0:
                raise _refused(archive, "more bytes than it may hold", "no bomb", member)
            continue
        names.add(name, member)
        if member.kind == "folder":
            continue
        if member.kind != "file":
            raise _refused(archive, member.kind, "regular files and folders only", member)
        if not 0 <= member.size <= min(limits.file_bytes, room):
            raise _refused(archive, f"{member.size:,} bytes", f"at most {room:,} more", member)
        content = member.read()
        room, found = room - len(content), found + 1
        if room < 0 or len(content) > limits.file_bytes:
            raise _refused(archive, "more bytes than it may hold", "no bomb", member)
        progress(inside)
        yield inside, content
    if not found:
        raise _refused(archive, "no such files", f"a folder {prefix or '.'} with files in it")


class Names:
    """The names met so far in an archive, to refuse bad ones and clashes."""

    def __init__(self, archive: Path):
        self.archive = archive
        self._met: dict[str, tuple[str, str]] = {}  # folded name: (name, kind)

    def plain(self, name: str) -> str:
        """`name` without `./` and a final slash; refused unless relative and harmless."""
        parts = [part for part in name.rstrip("/").split("/") if part != "."]
        plain = "/".join(parts)
        bad = (name.startswith("/") or ".." in parts or "" in parts[1:] or "\\" in name
               or ":" in name or len(parts) > MAX_DEPTH or not plain.isprintable()
               or any(len(part.encode("utf-8", "replace")) > MAX_NAME for part in parts))
        if bad:
            raise _refused(self.archive, repr(name[:100]), "a plain relative name")
        return plain

    def add(self, name: str, member: Member) -> None:
        """Note a name; refused if it, or a folder above it, is there already in another form."""
        parts = name.split("/")
        for end in range(1, len(parts)):
            self._add("/".join(parts[:end]), "folder", member)
        self._add(name, member.kind, member)

    def _add(self, path: str, kind: str, member: Member) -> None:
        folded = unicodedata.normalize("NFC", path).casefold()
        before = self._met.get(folded)
        if before not in (None, (path, kind)) or (before and kind == "file"):
            raise _refused(self.archive, f"{path} beside {before[0]}",
                           "each name once, whatever the case of its letters", member)
        self._met[folded] = path, kind


def _members(archive: Path, most: int, room: int) -> Iterator[Member]:
    if zipfile.is_zipfile(archive):
        with open_zip(archive, members=most) as file:
            for info in file.infolist():
                # the default argument binds this entry, not the last one
                yield Member(info.orig_filename, _zip_kind(info), info.file_size,
                             lambda info=info: file.read(info))
        return
    for info, content in tar_members(archive, room):
        plain = info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not info.issparse()
        kind = "file" if plain else (
            "folder" if info.isdir() else f"a member of type {info.type!r}")
        # content is read before the next member is asked for
        yield Member(info.name, kind, info.size, lambda content=content: content.read())


def _zip_kind(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.flag_bits & 1:
        return "an encrypted file"
    if info.is_dir() or kind == stat.S_IFDIR:
        return "folder"
    return "file" if kind in (0, stat.S_IFREG) else f"a member of mode {kind:#o}"


def _refused(archive: Path, found: str, expected: str, member: Member | None = None) -> DataError:
    return DataError.of("E-ARCHIVE", "an archive that is damaged or not to be trusted",
                        file=f"{archive}: {member.name[:100]!r}" if member else archive,
                        found=found, expected=expected,
                        do="nothing was unpacked; delete the archive and get it again from its "
                           "official place")
