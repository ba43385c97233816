"""Which photographs are labelled, and which files may be replaced: neither touches the user's.

Every picture that `deeplab predict` writes says so in a text chunk. Such pictures are no
photographs, even if they lie among them, and they alone are replaced without being asked.
"""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from deeplab.support.errors import DataError, UsageError
from deeplab.support.plain import printable
from deeplab.support.png import AFTER_HEADER, text_chunk

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
MARK = text_chunk("Software", "deeplab predict")
SHOWN = 8  # names that an error message lists


class Photos(NamedTuple):
    """What `find_photos` found."""

    files: list[Path]
    left_out: list[Path]  # pictures that `deeplab predict` wrote


def find_photos(words: Sequence[str]) -> Photos:
    """The image files that are named, lie in the folders named, or fit the patterns; each once.

    Raises `DataError` (E-IMAGE) for a word that leads to none.
    """
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word)
        hits = [path] if path.is_file() else sorted(
            Path(name) for name in glob.glob(f"{glob.escape(word)}/*" if path.is_dir() else word)
            if name.lower().endswith(ENDINGS))
        if not hits or all(map(is_ours, hits)):
            raise DataError.of("E-IMAGE", "there are no photographs here", file=word,
                               found=f"{len(hits)} labels and overlays" if hits else
                               "no image files" if path.is_dir() else "no such file",
                               expected=f"an image, a folder or a pattern ({' '.join(ENDINGS)})",
                               do="check the path")
        found |= dict.fromkeys(hits)
    return Photos([path for path in found if not is_ours(path)], list(filter(is_ours, found)))


def marked(png: bytes) -> bytes:
    """A PNG file with the note that `deeplab predict` wrote it."""
    return png[:AFTER_HEADER] + MARK + png[AFTER_HEADER:]


def is_ours(path: Path) -> bool:
    """Whether `deeplab predict` wrote this file; false for what is no regular file."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return file.read(AFTER_HEADER + len(MARK))[AFTER_HEADER:] == MARK


def check_targets(photos: Sequence[Path], targets: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse to write `targets` over one another, over a photograph or over a user's file.

    Raises `UsageError` (E-TWICE, E-EXISTS); with `overwrite` only photographs are safe.
    """
    targets = list(targets)
    twice = [path.name for path, count in Counter(targets).items() if count > 1]
    if twice:
        raise UsageError.of("E-TWICE", "two photographs have one name, and so would their labels",
                            found=_shown(twice), expected="names that differ",
                            do="label them in two runs, each with its own --out")
    there = [path for path in targets if path.exists() or path.is_symlink()]
    read = set(map(os.path.realpath, photos))  # of a link in a circle its own name
    wrong = [path for path in there if os.path.realpath(path) in read]
    if wrong or not overwrite:
        wrong += [path for path in there if not is_ours(path) and path not in wrong]
    if wrong:
        raise UsageError.of(
            "E-EXISTS", "files that `deeplab predict` did not write are in the way",
            file=wrong[0].parent, found=_shown(path.name for path in wrong),
            expected="a folder where only its own results are replaced",
            do="choose another folder with --out, or replace them with --overwrite (but never "
               "the photographs themselves)")


def _shown(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(printable, names[:SHOWN])) + more
