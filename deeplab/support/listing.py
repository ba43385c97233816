"""Which files lie below a folder, by names that agree whatever system wrote them."""

import codecs
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from deeplab.support.errors import DataError
from deeplab.support.own import regular
from deeplab.support.plain import printable

# what systems leave in folders and nobody put there: Synology, macOS, Windows, Linux, Jupyter
SYSTEM_NAMES = {"@eaDir", "#recycle", "__MACOSX", "$RECYCLE.BIN", "System Volume Information",
                "lost+found", "Thumbs.db", "desktop.ini"}
LARGEST_LIST = 2**26  # bytes
FIELDS = re.compile("[,;\t]")  # what separates an image from its label in a list
SHOWN = 8  # names that an error message shows of a folder or a list
PICTURES = (".jpg", ".png")
ONE_ENDING = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg"}


class Listing(NamedTuple):
    """The files below a folder, relative to it; `hidden` are those of systems and programs."""

    files: list[str]
    hidden: list[str]  # files, and folders, which end in a slash and are not looked into


class Named(NamedTuple):
    """The files that fit a pattern, and the other ones in their folder; paths from the root."""

    folder: str
    paths: dict[str, str]  # by id
    strange: list[str]
    hidden: list[str]


def canonical(path: str) -> str:
    """The form in which the names of one file agree: composed letters, ending in lower case.

    macOS decomposes letters with accents, cameras write .JPG, some programs .jpeg.

    >>> canonical("IMG_1.JPEG"), canonical("Cafe" + chr(0x301) + ".png") == "Café.png"
    ('IMG_1.jpg', True)
    """
    if not path.isascii():
        path = unicodedata.normalize("NFC", path)
    stem, dot, ending = path.rpartition(".")
    if not dot or "/" in ending:
        return path
    ending = ending.lower()
    return f"{stem}.{ONE_ENDING.get(ending, ending)}"


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name belongs to a system or program, not to a dataset."""
    return name.startswith(".") or name in SYSTEM_NAMES


def files_below(folder: Path | str) -> Listing:
    """All files in and below `folder`, in no order; nothing if there is no such folder.

    Links to folders are followed, but never into a folder that lies above them.
    """
    found = Listing([], [])
    if os.path.isdir(folder):
        _collect(str(folder), "", [os.path.realpath(folder)], found)
    return found


def _collect(folder: str, prefix: str, above: list[str], found: Listing) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            # a folder that is called like a picture stands where a file should be
            is_folder = entry.is_dir() and not canonical(entry.name).endswith(PICTURES)
            if is_hidden(entry.name):
                found.hidden.append(f"{prefix}{entry.name}{'/' * is_folder}")
            elif not is_folder:
                found.files.append(prefix + entry.name)
            else:
                place = (os.path.realpath(entry.path) if entry.is_symlink()
                         else os.path.join(above[-1], entry.name))
                if place not in above:
                    _collect(entry.path, f"{prefix}{entry.name}/", [*above, place], found)


def named_files(root: Path, folder: str, *, start: str, ending: str) -> Named:
    """The files in and below `folder` of `root` that begin and end so; between stands their id.

    Raises `DataError` (E-PAIR) for an id with two files.
    """
    listing, ending = files_below(root / folder), canonical(ending)
    named = Named(folder, {}, [], [folder + name for name in listing.hidden])
    for file in listing.files:
        name = canonical(file)
        if not (name.startswith(start) and name.endswith(ending)
                and len(name) > len(start) + len(ending)):
            named.strange.append(folder + file)
            continue
        id = name[len(start):len(name) - len(ending)]
        if id in named.paths:
            raise DataError.of("E-PAIR", "two files have one id", file=root / folder,
                               found=f"{named.paths[id]} and {folder}{file}",
                               expected="names that differ in more than their ending",
                               do="remove or rename one of them")
        named.paths[id] = folder + file
    return named


def leads_out(path: Path, root: Path) -> bool:
    """Whether links lead from `path` out of `root`."""
    return not path.resolve().is_relative_to(root.resolve())


def read_list(path: Path, known: Mapping[str, str] | None = None,
              root: Path | None = None) -> list[str]:
    """The ids in a list file, one a line; marks of byte order, CRLF and empty lines do no harm.

    With `known`, ids and their files, a line may also be a path with or without its ending, or
    an image and its label, separated by blanks, commas, semicolons or tabs. A line that leads to
    none of them is returned as it is, or as its number if a link leads from `root` to the list:
    what stands elsewhere belongs in no message. Raises `DataError` (E-LIST) for a file that is
    no text, or too large.
    """
    try:
        with open(path, "rb", opener=regular) as file:
            content = file.read(LARGEST_LIST + 1)
        if len(content) > LARGEST_LIST:
            raise DataError.of("E-LIST", "a list file is too large", file=path,
                               found=f"more than {LARGEST_LIST:,} bytes", expected="one id a line")
        is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        lines = content.decode("utf-16" if is_wide else "utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError.of("E-LIST", "a list file is not text", file=path, found=error,
                           expected="one id a line, UTF-8") from error
    lines = [line.strip() for line in lines if line.strip()]
    if known is None or all(line in known for line in lines):
        return lines
    by_path = {canonical(file): id for id, file in known.items()}
    hides = root is not None and leads_out(path, root)
    return [next((id for text in [line, *FIELDS.split(line)[:1], *line.split()[:1]]
                  if (id := _id_of(text, known, by_path))),
                 f"line {number} of a file elsewhere" if hides else line)
            for number, line in enumerate(lines, start=1)]


def _id_of(text: str, known: Mapping[str, str], by_path: Mapping[str, str]) -> str | None:
    """The id that an id or a path, as deep as may be, in a list leads to."""
    parts = canonical(text.strip(" '\"").replace("\\", "/")).split("/")
    for tail in ("/".join(parts[start:]) for start in range(len(parts))):
        found = by_path.get(tail) or next(
            (id for id in (tail, tail.rpartition(".")[0]) if id in known), None)
        if found:
            return found
    return None


def shown(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(printable, names[:SHOWN])) + more
