"""Files with a known size and SHA-256, compared with them when they are read.

A file is compared when it is read first, and again when its size or one of its times is another:
the digest takes a twentieth of what decoding does.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from deeplab.support.errors import DataError


class Manifest(NamedTuple):
    """What is known of the files in a folder."""

    path: Path
    made: str  # when
    files: Mapping[str, Sequence]  # their identity, by name
    compared: dict[str, tuple]  # state of each file that was as it should be, by path


KNOWN: dict[Path, Manifest] = {}  # by folder


def name_below(path: Path, folder: Path) -> str:
    """The name of a file below `folder`; bytes of it that are no text become their escapes."""
    return _as_text(str(path.relative_to(folder)))


def _as_text(name: str) -> str:
    return os.fsencode(name).decode(errors="backslashreplace")


def identity(content: bytes) -> list:
    """[size in bytes, SHA-256] of a file."""
    return [len(content), hashlib.sha256(content).hexdigest()]


def check_known(path: Path | str, stat: os.stat_result, content: bytes) -> None:
    """Raise `DataError` (E-CHANGED) if this is no longer the content of a known file.

    `stat` is the file's state before it was read.
    """
    state = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino
    text = str(Path(path))
    for folder, manifest in KNOWN.items():
        above = os.path.join(folder, "")  # compared as text: pathlib takes longer than the digest
        if manifest.compared.get(text) != state and text.startswith(above):
            name = _as_text(text.removeprefix(above))
            if manifest.files.get(name) != (found := identity(content)):
                raise changed_file(manifest, name, found)
            manifest.compared[text] = state


def changed_file(manifest: Manifest, name: str, found: Sequence | None) -> DataError:
    """The error (E-CHANGED) for a file that is another than in `manifest`; None: there is none."""
    found, expected = ("no file" if entry is None else f"{entry[0]:,} bytes, sha256 "
                       f"{entry[1][:12]}" for entry in (found, manifest.files.get(name)))
    return DataError.of("E-CHANGED", "a file is not as it was", file=name, found=found,
                        expected=f"{expected} (manifest of {manifest.made})",
                        do="restore it, or prepare the dataset again; if the change was meant, "
                           f"delete {manifest.path}")
