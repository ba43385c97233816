"""Decoded images and labels in one file, of which a crop reads only the rows it needs.

Decoding a PNG of Cityscapes takes longer than everything else that training does to a sample.
A pack spares it, for 4 bytes of disk per pixel: images (H, W, 3), then labels (H, W) as train
ids, one sample after the other, then an index, then its length. It says of which files it was
made, and is refused when they have changed since.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from deeplab.support.errors import DataError
from deeplab.support.files import atomic_write
from deeplab.support.folders import absolute
from deeplab.support.own import refuse_linked

FORMAT = "deeplab pack 1"
LENGTH = 8  # bytes at the end that hold the length of the index
PACKS = "packed"  # the folder of packs in a dataset's root


class Source(NamedTuple):
    """The files of one sample."""

    id: str
    image: Path
    label: Path

    @property
    def state(self) -> list:
        """What tells whether the files are still the same: id, sizes and times of change."""
        stats = [path.stat() for path in (self.image, self.label)]
        return [self.id, *(number for stat in stats for number in (stat.st_size, stat.st_mtime_ns))]


def pack_path(root: Path, name: str, split: str) -> Path:
    """Where the pack of a split of dataset `name` lies: below its root, or in $DEEPLAB_PACKS."""
    elsewhere = os.environ.get("DEEPLAB_PACKS")  # for data that cannot be written to
    return (absolute(elsewhere) if elsewhere else root / PACKS) / f"{name}-{split}.pack"


def write_pack(path: Path, samples: Iterable[tuple[np.ndarray, np.ndarray]],
               sources: Sequence[Source], *, lookup: np.ndarray) -> Path:
    """Write `samples`, pairs of image and label, made of `sources` by the label map `lookup`.

    Raises `ResourceError` (E-DISK, E-WRITE, E-LINK), and what reading a sample raises.
    """
    if path.parent.name == PACKS:  # of a dataset, which may have come with it
        refuse_linked(path.parent)

    def write(file: IO[bytes]) -> None:
        entries, offset = [], 0
        for source, (image, label) in zip(sources, samples, strict=True):
            entries.append([source.state, offset, *label.shape])
            file.write(np.ascontiguousarray(image))
            file.write(np.ascontiguousarray(label))
            offset += image.size + label.size
        index = json.dumps({"format": FORMAT, "lookup": lookup.tolist(), "samples": entries})
        file.write(index.encode("utf-8"))
        file.write(len(index.encode("utf-8")).to_bytes(LENGTH, "little"))

    return atomic_write(path, write)


@dataclass(frozen=True)
class Pack:
    """The samples of a pack by number; each is read from the disk where it is looked at."""

    path: Path
    entries: list[list]  # [state of the sources, offset in bytes, height, width]

    @classmethod
    def open(cls, path: Path, sources: Sequence[Source], *, lookup: np.ndarray) -> Pack | None:
        """The pack at `path`, or None if there is none.

        Raises `DataError` (E-PACK) for a file that is damaged or not of these sources.
        """
        if not path.is_file():
            return None
        index = _index(path)
        states = [source.state for source in sources]
        packed = [entry[0] for entry in index["samples"]]
        if packed != states or index["lookup"] != lookup.tolist():
            changed = sum(before != now for before, now in zip(packed, states))
            raise _refused(path, "the pack is older than the files it was made of",
                           found=f"{len(packed):,} samples, {changed:,} of them changed since",
                           expected=f"{len(states):,} samples, none changed, and the same labels")
        return cls(path, index["samples"])

    @functools.cached_property
    def data(self) -> np.ndarray:
        """The whole file as bytes, mapped and not read."""
        return np.memmap(self.path, np.uint8, mode="r").view(np.ndarray)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        _, offset, height, width = self.entries[number]
        middle, end = offset + 3 * height * width, offset + 4 * height * width
        return (self.data[offset:middle].reshape(height, width, 3),
                self.data[middle:end].reshape(height, width))

    def __getstate__(self) -> dict[str, Any]:
        """Without the data, which a worker process maps for itself."""
        return {"path": self.path, "entries": self.entries}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _index(path: Path) -> dict[str, Any]:
    """The index at the end of a pack; raises `DataError` (E-PACK) unless the file is whole."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LENGTH))
        length = int.from_bytes(file.read(), "little")
        file.seek(max(0, size - LENGTH - length))
        content = file.read(min(length, size))
    try:
        index = json.loads(content)
        last = index["samples"][-1]
        whole = index["format"] == FORMAT and last[1] + 4 * last[2] * last[3] == (
            size - LENGTH - length)
    except (ValueError, LookupError, TypeError):
        whole = False
    if not whole:
        raise _refused(path, "a pack that is damaged or cut short", found=f"{size:,} bytes",
                       expected=f"a file that ends with the index of a {FORMAT!r}")
    return index


def _refused(path: Path, what: str, *, found: str, expected: str) -> DataError:
    return DataError.of("E-PACK", what, file=path, found=found, expected=expected,
                        do="run `deeplab data pack` again, or delete this file")
