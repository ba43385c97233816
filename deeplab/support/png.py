"""The chunks of a PNG file (ISO/IEC 15948), checked before any decoder sees them.

Decoders forgive: rows that are missing come out black, and wrong checksums of many chunks are
passed over. Here every checksum is right and every row is there.
"""

import struct
import zlib
from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np

from deeplab.support.intact import MAX_PIXELS, check_size, damaged, too_large

Colour = tuple[int, int, int]  # RGB
START = b"\x89PNG\r\n\x1a\n"
AFTER_HEADER = 33  # the byte where the second chunk begins
GREY, RGB, PALETTE, GREY_ALPHA = 0, 2, 3, 4  # color types
COLOR_TYPES = {GREY: "grey", RGB: "RGB", PALETTE: "palette", GREY_ALPHA: "grey with alpha",
               6: "RGBA"}
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, 6: 4}
BITS = {GREY: (1, 2, 4, 8, 16), RGB: (8, 16), PALETTE: (1, 2, 4, 8),
        GREY_ALPHA: (8, 16), 6: (8, 16)}
DEFLATE_RATIO = 1032  # deflate never expands its input more than so
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2))  # first column and row, steps between columns and rows, of each pass


class Png(NamedTuple):
    """What the chunks of a PNG file say."""

    width: int
    height: int
    bits: int  # per channel
    color_type: int
    interlaced: bool
    palette: bytes  # RGB, RGB, ...
    data: bytes  # the compressed pixels of all IDAT chunks
    told: dict[bytes, bytes]  # chunks that decide no pixel, the last of each kind

    @property
    def kind(self) -> str:
        """How pixels are stored, for people: `RGB, 8 bits per channel`."""
        return f"{COLOR_TYPES[self.color_type]}, {self.bits} bits per channel"


def parse_png(content: bytes, path: Path | str) -> Png:
    """The chunks of a PNG file, each with the right checksum and in the right order.

    Raises `DataError` (E-IMAGE). Bytes after the last chunk are no part of the picture.
    """
    at, data, told, palette, header, last = len(START), [], {}, b"", None, b""
    while last != b"IEND":
        length, kind = int.from_bytes(content[at:at + 4], "big"), content[at + 4:at + 8]
        end = at + 8 + length
        if end + 4 > len(content):
            raise damaged(path, f"{len(content):,} bytes; it ends inside a chunk")
        if imagecodecs.zlibng_crc32(memoryview(content)[at + 4:end]) != int.from_bytes(
                content[end:end + 4], "big"):
            raise damaged(path, f"a wrong checksum of chunk {kind!r} at byte {at:,}")
        body = content[at + 8:end]
        split = kind == b"IDAT" and data and last != b"IDAT"
        if (kind == b"IHDR") != (header is None) or split:
            raise damaged(path, f"chunk {kind!r} at byte {at:,}, out of order")
        if kind == b"IHDR":
            header = _png_header(body, path)
        elif kind == b"IDAT":
            data.append(body)
        elif kind == b"PLTE":
            palette = body
        elif kind[:1].islower():
            told[kind] = body
        elif kind not in (b"IEND", b"IHDR"):
            raise damaged(path, f"an unknown chunk {kind!r} at byte {at:,}")
        at, last = end + 4, kind
    png = Png(*header, palette, b"".join(data), told)
    if png.color_type == PALETTE and (not palette or len(palette) % 3):
        raise damaged(path, f"a palette of {len(palette)} bytes")
    if inflated_size(png) > 4 * MAX_PIXELS:
        raise too_large(path, f"{png.width:,} x {png.height:,} pixels, {png.kind}",
                        f"{MAX_PIXELS:,} pixels of 4 bytes")
    if inflated_size(png) > DEFLATE_RATIO * len(png.data):
        raise damaged(path, f"{len(png.data):,} bytes of pixel data for {png.width:,} x "
                            f"{png.height:,} pixels, which must be more")
    return png


def _png_header(body: bytes, path: Path | str) -> tuple[int, int, int, int, bool]:
    width, height = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
    bits, color_type, compression, filters, interlaced = body[8:] if len(body) == 13 else [255] * 5
    if (bits not in BITS.get(color_type, ()) or compression or filters or interlaced > 1
            or not 0 < width < 1 << 31 or not 0 < height < 1 << 31):
        raise damaged(path, f"a wrong header: {body.hex()}")
    check_size(width, height, path)
    return width, height, bits, color_type, bool(interlaced)


def inflated_size(png: Png) -> int:
    """Bytes of the uncompressed lines of a PNG file, each of which begins with its filter."""
    passes = ADAM7 if png.interlaced else ((0, 0, 1, 1),)
    sizes = [(ceil((png.width - left) / across), ceil((png.height - top) / down))
             for left, top, across, down in passes]
    return sum(height * (1 + ceil(width * png.bits * CHANNELS[png.color_type] / 8))
               for width, height in sizes if width > 0 and height > 0)


def inflated(png: Png, path: Path | str) -> bytes:
    """The lines of a PNG file; raises `DataError` (E-IMAGE) unless they are there to the byte."""
    size = inflated_size(png)
    try:
        lines = imagecodecs.zlibng_decode(png.data, out=size)
    except Exception as error:  # its own kind: the stream is damaged, or longer than `size`
        raise damaged(path, f"pixel data that do not unpack to {size:,} bytes: {error}") from error
    if len(lines) < size:
        raise damaged(path, f"{len(lines):,} of {size:,} bytes of pixel data: rows are missing")
    return lines


def plain_png(png: Png, color_type: int) -> bytes:
    """A PNG file of the same lines and nothing else, its channels named `color_type`."""
    header = struct.pack(">IIBBBBB", png.width, png.height, png.bits, color_type, 0, 0,
                         png.interlaced)
    return START + _chunk(b"IHDR", header) + _chunk(b"IDAT", png.data) + _chunk(b"IEND", b"")


def moved_colours(palette: bytes, names: Mapping[Colour, str], colours: Mapping[int, Colour],
                  pixels: np.ndarray) -> dict[int, str]:
    """Value -> what has the colour that a file's palette, RGB, RGB, ..., gives this value.

    `names` says whose each colour is, `colours` which colour a value should have; `pixels` are
    the values, uint8 (H, W). Empty unless the file speaks of the same colours: two values at
    least have another's, or all that occur have one of `names`. A palette of one colour or the
    ramp of greys says nothing.
    """
    found = dict(enumerate(zip(palette[::3], palette[1::3], palette[2::3])))
    moved = {value: names[found[value]] for value, colour in colours.items()
             if value in found and colour != found[value] in names}
    is_ramp = all(colour == (value,) * 3 for value, colour in found.items())
    if not moved or is_ramp and len(found) > 1:
        return {}
    used = set(np.flatnonzero(np.bincount(pixels.ravel())).tolist()) & colours.keys()
    shown = [found[value] for value in used if value in found]
    moved = {value: name for value, name in moved.items() if value in used}
    is_same = len(moved) > 1 or names.keys() >= set(shown)
    return moved if is_same and len(set(shown)) == len(shown) else {}


def text_chunk(key: str, text: str) -> bytes:
    """A chunk that says something about a picture."""
    return _chunk(b"tEXt", f"{key}\0{text}".encode("latin-1"))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(
        ">I", zlib.crc32(body, zlib.crc32(kind)))
