"""The segments of a JPEG file (ITU-T T.81), walked before any decoder sees them.

Decoders forgive: what is missing comes out grey. No checksum protects the coded pixels, so that
only what is missing can be found here, not what was changed.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import NamedTuple

from deeplab.support.intact import check_size, damaged, too_large

MAX_SCANS = 64  # each may cover the whole picture; encoders write about ten
SCAN_END = re.compile(rb"\xff\xff*([^\x00\xff])", re.DOTALL)  # a marker among coded pixels
PADDING = bytes(random.Random(0).choices(range(255), k=256))  # holds no marker


class Jpeg(NamedTuple):
    """What the segments of a JPEG file say."""

    width: int
    height: int
    channels: int
    plain: bool  # one scan of all channels, not progressive, not CMYK
    ends: list[int]  # where the coded bytes of each scan and restart interval end
    told: dict[int, bytes]  # segments by their marker, the last of each


def parse_jpeg(content: bytes, path: Path | str) -> Jpeg:
    """The segments of a JPEG file, up to its end marker; raises `DataError` (E-IMAGE)."""
    at, frame, ends, scans, told, plain = 2, None, [], 0, {}, True
    while True:
        marker, start, end = _segment(content, at, path)
        if marker == 0xD9:
            break
        body, at = content[start:end], end
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if frame or len(body) < 6:
                raise damaged(path, "two frames, or half of one")
            frame = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"), body[5]
            check_size(*frame[:2], path)
            plain = marker in (0xC0, 0xC1) and frame[2] < 4
        elif marker == 0xDA:
            scans += 1
            plain = plain and bool(frame) and body[:1] == bytes([frame[2]])
            at = _scan(content, end, ends, path)
            if scans > MAX_SCANS:
                raise too_large(path, f"more than {MAX_SCANS} scans", f"{MAX_SCANS} scans")
        told[marker] = body
    if not frame or not scans:
        raise damaged(path, "a JPEG file without a picture")
    return Jpeg(*frame, plain and scans == 1, ends, told)


def _segment(content: bytes, at: int, path: Path | str) -> tuple[int, int, int]:
    """The marker at or after fill bytes at `at`; first and last byte + 1 of what it holds."""
    first = at
    while content[at:at + 1] == b"\xff":
        at += 1
    marker = content[at] if first < at < len(content) else None
    length = int.from_bytes(content[at + 1:at + 3], "big")
    if marker == 0xD9:
        return marker, at + 1, at + 1
    if marker is None or marker < 0xC0 or 0xD0 <= marker <= 0xD8 or length < 2 or (
            at + 1 + length > len(content)):
        raise damaged(path, f"{len(content):,} bytes; no segment begins at byte {first:,}"
                      if first < len(content) else f"{len(content):,} bytes without an end marker")
    return marker, at + 3, at + 1 + length


def _scan(content: bytes, at: int, ends: list[int], path: Path | str) -> int:
    """Walk the coded bytes of a scan, note where its parts end; returns where it ends."""
    restarts = 0
    for found in SCAN_END.finditer(content, at):
        ends.append(found.start())
        if not 0xD0 <= found[1][0] <= 0xD7:
            return found.start()
        if found[1][0] != 0xD0 + restarts % 8:
            raise damaged(path, f"a restart marker out of order at byte {found.start():,}")
        restarts += 1
    raise damaged(path, f"{len(content):,} bytes without an end marker")


def padded(content: bytes, jpeg: Jpeg) -> bytes:
    """The JPEG file with further bytes after the coded bytes of each of its parts.

    A decoder passes over them if it has all that it needs, so that the pixels stay the same;
    where something is missing it takes them for it.
    """
    parts, at = [], 0
    for end in jpeg.ends:
        parts += [content[at:end], PADDING]
        at = end
    return b"".join([*parts, content[at:]])
