"""Decoded images and labels in one file.

Decoding a PNG of Cityscapes takes longer than everything else that training does to a sample.
A pack spares it, for 4 bytes of disk per pixel: a block for each sample, its image (H, W, 3) and
then its label (H, W) as train ids. It says of which files it was made, and is refused when they
have changed since; every byte of it has a checksum.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deeplab.support.blocks import Blocks, write_blocks
from deeplab.support.errors import DataError
from deeplab.support.folders import absolute
from deeplab.support.own import refuse_linked

FORMAT = "deeplab pack 2"  # the first one had no checksums
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
    blocks = (([source.state, *sample[1].shape], sample)
              for source, sample in zip(sources, samples, strict=True))
    return write_blocks(path, blocks, format=FORMAT, lookup=lookup.tolist())


@dataclass(frozen=True)
class Pack:
    """The samples of a pack by number; each is read and checked where it is looked at."""

    blocks: Blocks  # entries: [state of the sources, height, width, size, checksum]

    @classmethod
    def open(cls, path: Path, sources: Sequence[Source], *, lookup: np.ndarray) -> Pack | None:
        """The pack at `path`, or None if there is none.

        Raises `DataError` (E-PACK) for a file that is damaged or not of these sources.
        """
        if not path.is_file():
            return None
        try:
            blocks = Blocks.open(path)
            packed, its_lookup = [entry[0] for entry in blocks.entries], blocks.facts["lookup"]
            if blocks.facts["format"] != FORMAT or any(
                    4 * height * width != size for _, height, width, size, _ in blocks.entries):
                raise ValueError("other blocks than a pack has")
        except (ValueError, LookupError, TypeError) as error:
            raise _refused(path, "a pack that is damaged, cut short or of an earlier version",
                           found=str(error), expected=f"a {FORMAT!r}, whole") from error
        states = [source.state for source in sources]
        if packed != states or its_lookup != lookup.tolist():
            changed = sum(before != now for before, now in zip(packed, states))
            raise _refused(path, "the pack is older than the files it was made of",
                           found=f"{len(packed):,} samples, {changed:,} of them changed since",
                           expected=f"{len(states):,} samples, none changed, and the same labels")
        return cls(blocks)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        _, height, width, *_ = self.blocks.entries[number]
        try:
            block = self.blocks[number]
        except ValueError as error:
            raise _refused(self.blocks.path, "a pack that is damaged", found=str(error),
                           expected="the bytes that were packed") from error
        middle = 3 * height * width
        return block[:middle].reshape(height, width, 3), block[middle:].reshape(height, width)


def _refused(path: Path, what: str, *, found: str, expected: str) -> DataError:
    return DataError.of("E-PACK", what, file=path, found=found, expected=expected,
                        do="run `deeplab data pack` again, or delete this file")
