"""The segments of a JPEG file (ITU-T T.81), walked before any decoder sees them.

Decoders forgive: what is missing comes out grey. No checksum protects the coded pixels, so that
only what is missing can be found here, not what was changed.
"""

import random
import re
from math import ceil
from pathlib import Path
from typing import NamedTuple

from deeplab.support.intact import MAX_PIXELS, check_size, damaged, too_large

MAX_SCANS = 64  # each may cover the whole picture; encoders write about ten
MAX_SCANNED = 6 * MAX_PIXELS  # pixels times scans, which decide the time: below ten seconds
SCAN_END = re.compile(rb"\xff\xff*([^\x00\xff])", re.DOTALL)  # a marker among coded pixels
ALL_COEFFICIENTS = (1 << 64) - 1  # of a block, as bits
PADDING = bytes(random.Random(0).choices(range(255), k=256))  # holds no marker


class Jpeg(NamedTuple):
    """What the segments of a JPEG file say."""

    width: int
    height: int
    plain: bool  # one scan, not progressive, not CMYK
    ends: list[int]  # where the coded bytes of each scan and restart interval end
    told: dict[int, bytes]  # segments by their marker, the last of each


class _Frame(NamedTuple):
    """The header of the picture."""

    width: int
    height: int
    progressive: bool
    sampling: dict[int, tuple[int, int]]  # component -> horizontal, vertical

    def units(self, components: bytes) -> int:
        """How many units a scan of these components codes (T.81, A.2)."""
        largest = [max(factors) for factors in zip(*self.sampling.values())]
        if len(components) > 1:
            return ceil(self.width / (8 * largest[0])) * ceil(self.height / (8 * largest[1]))
        across, down = self.sampling[components[0]]
        return (ceil(ceil(self.width * across / largest[0]) / 8)
                * ceil(ceil(self.height * down / largest[1]) / 8))


def parse_jpeg(content: bytes, path: Path | str) -> Jpeg:
    """The segments of a JPEG file, up to its end marker, with all scans that a picture needs.

    Raises `DataError` (E-IMAGE).
    """
    at, frame, ends, scans, told, interval, lacking = 2, None, [], 0, {}, 0, {}
    while True:
        marker, start, end = _segment(content, at, path)
        if marker == 0xD9:
            break
        body, at = content[start:end], end
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if frame:
                raise damaged(path, "two frames")
            frame = _frame(body, marker == 0xC2, path)
            lacking = dict.fromkeys(frame.sampling, ALL_COEFFICIENTS)
        elif marker == 0xDD:
            interval = int.from_bytes(body[:2], "big")
        elif marker == 0xDA:
            scans += 1
            components = body[1:-3:2]
            if not frame or not components or not {*components} <= frame.sampling.keys():
                raise damaged(path, "a scan of what is not in the picture")
            done = _completed(body, frame.progressive)
            lacking |= {component: lacking[component] & ~done for component in components}
            parts = ceil(frame.units(components) / interval) if interval else 1
            at = _scan(content, end, ends, parts, path)
            most = min(MAX_SCANS, MAX_SCANNED // (frame.width * frame.height or 1))
            if scans > most:
                raise too_large(path, f"more than {most} scans of {frame.width:,} x "
                                      f"{frame.height:,} pixels", f"{most} scans")
        told[marker] = body
    if not frame or any(lacking.values()):
        raise damaged(path, "a JPEG file without all scans of a picture")
    plain = scans == 1 and not frame.progressive and len(frame.sampling) < 4
    return Jpeg(frame.width, frame.height, plain, ends, told)


def _frame(body: bytes, progressive: bool, path: Path | str) -> _Frame:
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    sampling = {body[at]: (body[at + 1] >> 4, body[at + 1] & 15)
                for at in range(6, len(body) - 2, 3)}
    if len(body) < 9 or len(sampling) != body[5] or not all(
            1 <= factor <= 4 for factors in sampling.values() for factor in factors):
        raise damaged(path, f"a wrong header: {body.hex()}")
    check_size(width, height, path)
    return _Frame(width, height, progressive, sampling)


def _completed(body: bytes, progressive: bool) -> int:
    """The coefficients, as bits of a number, of which a scan with this header codes the last."""
    if not progressive:
        return ALL_COEFFICIENTS
    first, last, low_bit = body[-3], body[-2], body[-1] & 15
    return 0 if low_bit else (2 << last) - (1 << first)


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


def _scan(content: bytes, at: int, ends: list[int], parts: int, path: Path | str) -> int:
    """Walk the coded bytes of a scan of `parts`, note where each ends; returns where it ends."""
    found = 0
    for marker in SCAN_END.finditer(content, at):
        ends.append(marker.start())
        found += 1
        if not 0xD0 <= marker[1][0] <= 0xD7:
            if found < parts:
                raise damaged(path, f"{found:,} of {parts:,} parts of a scan")
            return marker.start()
        if marker[1][0] != 0xD0 + (found - 1) % 8 or found >= parts:
            raise damaged(path, f"a restart marker out of order at byte {marker.start():,}")
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
