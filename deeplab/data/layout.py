"""Where the files of a dataset lie: each dataset's own folder tree, kept as it is published.

A `Layout` is four patterns with the places `{split}` and `{id}`. A split is a list file with
one id per line, or, where images are stored by split, simply the folder of that split.
"""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from deeplab.support.entry import inside
from deeplab.support.errors import DataError
from deeplab.support.listing import Named, is_hidden, named_files, read_list, shown

UNUSED_LABELS = "labels without an image"


class Split(NamedTuple):
    """The samples of a split, and the files that are none."""

    samples: list[Sample]
    left_out: dict[str, list[str]]  # why: paths


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
        return inside(pattern.replace("{split}", folder)).replace("{id}", id)

    def landmarks(self, split: str = "train") -> tuple[str, str]:
        """The two folders by which a root is recognised: those of the images and the labels.

        Where images are stored as `{split}/...` there is no folder but that of a `split`.
        """
        return tuple(first if "{" not in first else self.place(pattern, split)[0].rstrip("/")
                     for pattern in (self.images, self.labels)
                     for first in [pattern.split("/")[0]])

    def is_root(self, folder: Path) -> bool:
        """Whether `folder` is a root of this dataset."""
        return any(all((folder / landmark).is_dir() for landmark in self.landmarks(split))
                   and (all(self.landmarks(split)) or self.list_file(folder, split).is_file())
                   for split in ("train", "val"))

    def root_below(self, data_root: Path) -> Path | None:
        """The root in `data_root`, which may also be the root itself; None if there is none."""
        candidates = [*(data_root / folder for folder in self.folders), data_root]
        return next((folder for folder in candidates if self.is_root(folder)), None)

    def splits(self, root: Path) -> list[str]:
        """The names of the splits that are there, sorted."""
        if "{split}" not in self.images:
            return sorted(path.stem for path in root.glob(
                glob.escape(self.lists).replace("{split}", "*")))
        names = {folder: split for split, folder in self.split_folders.items()}
        before, _, after = self.images.partition("{split}")
        parent, _, start = before.rpartition("/")
        ending, _, below = after.partition("{id}")[0].rpartition("/")[0].partition("/")
        folders = [path.name[len(start):len(path.name) - len(ending)]
                   for path in (root / parent).iterdir() if not is_hidden(path.name)
                   and path.name.startswith(start) and path.name.endswith(ending)
                   and (path / below).is_dir()]
        return sorted(names.get(folder, folder) for folder in folders if folder)

    def place(self, pattern: str, split: str) -> tuple[str, str, str]:
        """(folder, what a file's name begins with, what it ends in) of a pattern of a split."""
        before, _, after = self.fill(pattern, split=split).partition("{id}")
        folder, slash, start = before.rpartition("/")
        return folder + slash, start, after

    def list_file(self, root: Path, split: str) -> Path:
        """Where the list of a split lies, if there is one."""
        return root / inside((self.lists or "").replace("{split}", split))

    def samples(self, root: Path, split: str) -> Split:
        """Images and labels of a split, in the order of its list, or sorted if it has none.

        Raises `DataError`: E-LAYOUT (no such split, or an empty one), E-LIST (an id listed
        twice), E-PAIR (an image or label that is not there, or an id with two files).
        """
        images, labels = (self.named(pattern, root, split)
                          for pattern in (self.images, self.labels))
        if images.folder == labels.folder:  # masks beside images are no images
            masks = {*labels.paths.values()}
            images = images._replace(
                paths={id: path for id, path in images.paths.items() if path not in masks},
                strange=[path for path in images.strange if path not in masks])
        if self.lists and self.list_file(root, split).is_file():
            source, is_listed = self.list_file(root, split), True
            ids = read_list(source, images.paths, root)
        else:
            source, is_listed = root / images.folder, False
            if "{split}" not in self.images or not source.is_dir():
                raise _no_such_split(self, root, split,
                                     expected=self.list_file(root, split) if self.lists else source)
            ids = sorted(images.paths)
        if not ids:
            raise DataError.of("E-LAYOUT", f"split {split!r} has no images", file=source,
                               found="no ids", expected=self.fill(self.images, split=split),
                               do="check that the dataset was copied or unpacked completely")
        _refuse_twice(ids, source)
        _refuse_missing("image", [self.fill(self.images, split=split, id=id) for id in ids
                                  if id not in images.paths], len(ids), root, source)
        more = (self.named(self.extra_labels[split], root, split).paths
                if split in self.extra_labels else {})
        found = more | labels.paths
        _refuse_missing("label", [
            self.fill(self.extra_labels.get(split, self.labels), split=split, id=id)
            for id in ids if id not in found], len(ids), root, source)
        left_out = {"hidden": images.hidden} if is_listed else {
            "hidden": images.hidden, f"not named {self.images.rpartition('/')[2]}": images.strange,
            UNUSED_LABELS: [path for id, path in labels.paths.items()
                                        if id not in images.paths and "{split}" in self.labels]}
        return Split([Sample(id, images.paths[id], found[id]) for id in ids],
                     {why: sorted(names) for why, names in left_out.items() if names})

    def named(self, pattern: str, root: Path, split: str) -> Named:
        """The files of a split that fit a pattern; raises `DataError` (E-PAIR) for one id twice."""
        folder, start, ending = self.place(pattern, split)
        return named_files(root, folder, start=start, ending=ending)


def _no_such_split(layout: Layout, root: Path, split: str, expected: Path) -> DataError:
    return DataError.of(
        "E-LAYOUT", f"there is no split {split!r}", file=expected,
        found=f"splits {shown(layout.splits(root)) or 'none'}", expected=expected.name,
        do="choose one of the splits found, or make the missing list (deeplab data prepare)")


def _refuse_twice(ids: list[str], source: Path) -> None:
    twice = [id for id, count in Counter(ids).items() if count > 1]
    if twice:
        raise DataError.of("E-LIST", "ids listed more than once", file=source,
                           found=shown(twice), expected="each id once",
                           do="remove the repeated lines: they would count twice in the mIoU")


def _refuse_missing(kind: str, absent: list[str], count: int, root: Path, source: Path) -> None:
    if absent:
        raise DataError.of(
            "E-PAIR", f"{len(absent)} of {count} {kind}s are missing", file=source,
            found=f"no {shown(absent)}", expected=f"in {root}",
            do="copy or unpack the dataset completely; names must agree to the letter")
