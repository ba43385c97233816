"""Where the files of a dataset lie: each dataset's own folder tree, kept as it is published.

A `Layout` is four patterns with the places `{split}` and `{id}`. A split is a list file with
one id per line, or, where images are stored by split, simply the folder of that split.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from deeplab.support.errors import DataError

SHOWN = 8  # entries that an error message shows of a folder or a list


class Sample(NamedTuple):
    """One image and its label; both paths are relative to the root of the dataset."""

    id: str
    image: str
    label: str


@dataclass(frozen=True)
class Layout:
    """The folder tree of a dataset below its root; every pattern is relative to that root."""

    folders: tuple[str, ...]  # where the root may lie below the data root; new data: the first
    images: str  # "JPEGImages/{id}.jpg"
    labels: str  # "SegmentationClass/{id}.png"
    lists: str | None = None  # "ImageSets/Segmentation/{split}.txt", where there are such
    split_folders: Mapping[str, str] = field(default_factory=dict)  # {"train": "training"}
    extra_labels: Mapping[str, str] = field(default_factory=dict)  # per split: labels of the rest

    def fill(self, pattern: str, *, split: str, id: str = "{id}") -> str:
        """A pattern of images or labels with its places filled: a path relative to the root."""
        folder = self.split_folders.get(split, split)
        return pattern.replace("{split}", folder).replace("{id}", id)

    def landmarks(self) -> tuple[str, str]:
        """The two folders by which a root is recognised: those of the images and the labels."""
        return self.images.split("/")[0], self.labels.split("/")[0]

    def is_root(self, folder: Path) -> bool:
        """Whether `folder` is a root of this dataset."""
        return all((folder / landmark).is_dir() for landmark in self.landmarks())

    def root_below(self, data_root: Path) -> Path | None:
        """The root in `data_root`, which may also be the root itself; None if there is none."""
        candidates = [*(data_root / folder for folder in self.folders), data_root]
        return next((folder for folder in candidates if self.is_root(folder)), None)

    def splits(self, root: Path) -> list[str]:
        """The names of the splits that are there, sorted."""
        if "{split}" not in self.images:
            return sorted(path.stem for path in root.glob(self.lists.replace("{split}", "*")))
        names = {folder: split for split, folder in self.split_folders.items()}
        parent = root / self.images.partition("{split}")[0]
        return sorted(names.get(path.name, path.name) for path in parent.iterdir()
                      if path.is_dir())

    def samples(self, root: Path, split: str) -> list[Sample]:
        """Images and labels of a split, in the order of its list, or sorted if it has none.

        Raises `DataError`: E-LAYOUT (no such split, or an empty one), E-LIST (an id listed
        twice), E-PAIR (an image or label that is not there).
        """
        listed = root / self.lists.replace("{split}", split) if self.lists else None
        if listed and listed.is_file():
            source, ids = listed, read_list(listed)
        else:
            source = root / self.fill(self.images, split=split).partition("{id}")[0]
            if "{split}" not in self.images or not source.is_dir():
                raise _no_such_split(self, root, split, expected=listed or source)
            ids = self._ids_in(source)
        if not ids:
            raise DataError.of("E-LAYOUT", f"split {split!r} has no images", file=source,
                               found="no ids", expected=self.fill(self.images, split=split),
                               do="check that the dataset was copied or unpacked completely")
        _refuse_twice(ids, source)
        images = [self.fill(self.images, split=split, id=id) for id in ids]
        _refuse_missing("image", images, root, source)
        return [Sample(*one) for one in zip(ids, images, self._labels(ids, root, split, source))]

    def _ids_in(self, folder: Path) -> list[str]:
        """Sorted ids of the images in or below the folder of a split; hidden files are no ids."""
        ending = self.images.partition("{id}")[2]
        return sorted(path.relative_to(folder).as_posix().removesuffix(ending)
                      for path in folder.rglob(f"*{ending}") if not path.name.startswith("."))

    def _labels(self, ids: list[str], root: Path, split: str, source: Path) -> list[str]:
        """A label for each id: from `labels`, and what is not there from `extra_labels`."""
        labels = [self.fill(self.labels, split=split, id=id) for id in ids]
        if split in self.extra_labels:
            absent = set(_missing(labels, root))
            labels = [self.fill(self.extra_labels[split], split=split, id=id)
                      if label in absent else label for id, label in zip(ids, labels)]
        _refuse_missing("label", labels, root, source)
        return labels


def find_root(layout: Layout, data_root: Path | str, *, title: str = "the dataset") -> Path:
    """The root of a dataset below `data_root`, or `data_root` if it is the root itself.

    Raises `DataError` (E-LAYOUT) with the expected tree, what is there instead and, when the
    dataset lies up to two levels above or below, the folder to pass.
    """
    data_root = Path(data_root)
    root = layout.root_below(data_root)
    if root is not None:
        return root
    images, labels = layout.landmarks()
    near = next((folder for folder in _nearby(data_root) if layout.root_below(folder)), None)
    raise DataError.of(
        "E-LAYOUT", f"{title} is not here", file=data_root, found=_entries(data_root),
        expected=f"{layout.folders[0]}/ with {images}/ and {labels}/ in it",
        do=f"pass --data-root {near}" if near else
        "pass the folder that holds it with --data-root; data/README.md says where to get it")


def _nearby(folder: Path) -> Iterator[Path]:
    """Folders one and two levels above and below, nearest first."""
    absolute = folder.absolute()
    yield from absolute.parents[:2]
    for pattern in ("*", "*/*"):
        yield from sorted(path for path in folder.glob(pattern) if path.is_dir())


def _entries(folder: Path) -> str:
    """The first few names in a folder, as an error message shows them."""
    if not folder.is_dir():
        return "no such folder" if not folder.exists() else "a file, not a folder"
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    return _shown(names) or "an empty folder"


def _shown(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def read_list(path: Path) -> list[str]:
    """The ids in a list file; a byte order mark, CRLF and empty lines do no harm."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError.of("E-LIST", "a list file is not text", file=path, found=error,
                           expected="one id a line, UTF-8") from error
    return [line.strip() for line in lines if line.strip()]


def _no_such_split(layout: Layout, root: Path, split: str, expected: Path) -> DataError:
    return DataError.of(
        "E-LAYOUT", f"there is no split {split!r}", file=expected,
        found=f"splits {_shown(layout.splits(root)) or 'none'}", expected=expected.name,
        do="choose one of the splits found, or make the missing list (deeplab data prepare)")


def _refuse_twice(ids: list[str], source: Path) -> None:
    twice = [id for id, count in Counter(ids).items() if count > 1]
    if twice:
        raise DataError.of("E-LIST", "ids listed more than once", file=source,
                           found=_shown(twice), expected="each id once",
                           do="remove the repeated lines: they would count twice in the mIoU")


def _missing(paths: Iterable[str], root: Path) -> list[str]:
    """Those of `paths` that do not exist; one listing per folder, as stat is slow on NFS."""
    listings: dict[str, set[str]] = {}
    absent = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in listings:
            listings[folder] = set(os.listdir(root / folder)) if (root / folder).is_dir() else set()
        if name not in listings[folder]:
            absent.append(path)
    return absent


def _refuse_missing(kind: str, paths: list[str], root: Path, source: Path) -> None:
    absent = _missing(paths, root)
    if absent:
        raise DataError.of(
            "E-PAIR", f"{len(absent)} of {len(paths)} {kind}s are missing", file=source,
            found=f"no {_shown(absent)}", expected=f"in {root}",
            do="copy or unpack the dataset completely; names must agree to the letter")
