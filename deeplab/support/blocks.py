"""A file of blocks of bytes and an index of them at its end, all with checksums.

CRC-32 finds every change within 32 neighbouring bits, and others but for one in four thousand
million; it is fast enough to be made again each time that a block is read.
"""

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from imagecodecs import zlibng_crc32

from deeplab.support.files import atomic_write

LENGTH = 8  # bytes at the end that hold the length of the index; before them 4 of its checksum


def write_blocks(path: Path, blocks: Iterable[tuple[list[Any], Iterable[np.ndarray]]],
                 **facts: Any) -> Path:
    """Write what `blocks` yields, an entry of the index and the arrays that it tells of.

    `facts` stand at the head of the index. Raises `ResourceError` (E-DISK, E-WRITE).
    """
    def write(file: IO[bytes]) -> None:
        """Write the blocks as they come, and the index behind them."""
        entries = []
        for entry, arrays in blocks:
            size = checksum = 0
            for array in map(np.ascontiguousarray, arrays):
                file.write(array)
                size, checksum = size + array.nbytes, zlibng_crc32(array, checksum)
            entries.append([*entry, size, checksum])
        index = json.dumps({**facts, "blocks": entries}).encode("utf-8")
        file.write(index + zlibng_crc32(index).to_bytes(4, "little")
                   + len(index).to_bytes(LENGTH, "little"))

    return atomic_write(path, write)


@dataclass(frozen=True)
class Blocks:
    """The blocks of a file, mapped and not read; a worker process maps them for itself."""

    path: Path
    facts: dict[str, Any]  # the index without its entries
    entries: list[list[Any]]  # what was given, then size in bytes and checksum of each block
    starts: list[int]  # the first byte of each, and behind the last the end

    @classmethod
    def open(cls, path: Path) -> "Blocks":
        """The file at `path`; raises ValueError for one that is damaged or cut short."""
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LENGTH))
            length = int.from_bytes(file.read(LENGTH), "little")
            end = size - LENGTH - 4 - length
            if end < 0:
                raise ValueError(f"{size:,} bytes without an index")
            file.seek(end)
            index, checksum = file.read(length), int.from_bytes(file.read(4), "little")
        if zlibng_crc32(index) != checksum:
            raise ValueError(f"a wrong checksum of the index of {length:,} bytes")
        facts = json.loads(index)
        starts = [0]
        for entry in facts["blocks"]:
            starts.append(starts[-1] + entry[-2])
        if starts[-1] != end:
            raise ValueError(f"{end:,} bytes of {starts[-1]:,}")
        return cls(path, {key: value for key, value in facts.items() if key != "blocks"},
                   facts["blocks"], starts)

    @functools.cached_property
    def data(self) -> np.ndarray:
        """The whole file as bytes."""
        return np.memmap(self.path, np.uint8, mode="r").view(np.ndarray)

    def __getitem__(self, number: int) -> np.ndarray:
        """The bytes of a block, read-only; raises ValueError if they have changed."""
        block = self.data[self.starts[number]:self.starts[number + 1]]
        if zlibng_crc32(block) != self.entries[number][-1]:
            raise ValueError(f"a wrong checksum of the {block.size:,} bytes of block {number:,}")
        return block

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "data"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
