"""How large the picture in a WebP file will be, from its first chunk.

Pillow takes the memory for it, 8 bytes a pixel, before it tells the size to anybody.
"""

from pathlib import Path

from deeplab.support.intact import check_size, damaged, too_large

ALWAYS = 1 << 24  # pixels that a file of any length may have
PIXELS_PER_BYTE = 1000  # of a longer one; photographs have 5 to 50


def check_webp(content: bytes, path: Path | str) -> None:
    """Raise `DataError` (E-IMAGE) for too many pixels, or more than so few bytes can tell of."""
    width, height = _size(content, path)
    check_size(width, height, path)
    most = ALWAYS + PIXELS_PER_BYTE * len(content)
    if width * height > most:
        raise too_large(path, f"{width:,} x {height:,} pixels in {len(content):,} bytes",
                        f"{most:,} pixels in a WebP file of that length")


def _size(content: bytes, path: Path | str) -> tuple[int, int]:
    """Width and height; each of the three kinds of first chunk has them at a place of its own."""
    kind, start = content[12:16], 20
    if len(content) < start + 10:
        raise damaged(path, f"{len(content)} bytes")
    if kind == b"VP8X":
        return tuple(1 + int.from_bytes(content[at:at + 3], "little") for at in (24, 27))
    if kind == b"VP8 ":
        return tuple(int.from_bytes(content[at:at + 2], "little") & 0x3FFF for at in (26, 28))
    if kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    raise damaged(path, f"a WebP file that begins with the chunk {kind!r}")
