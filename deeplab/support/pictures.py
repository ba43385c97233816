"""What a picture file is, by its first bytes, and its content if it may be decoded."""

import re
from collections.abc import Sequence
from pathlib import Path
from stat import S_ISREG
from typing import NamedTuple

from deeplab.support import png
from deeplab.support.errors import DataError
from deeplab.support.intact import MAX_BYTES, damaged, too_large
from deeplab.support.jpeg import Jpeg, parse_jpeg
from deeplab.support.known import check_known
from deeplab.support.png import Png, parse_png
from deeplab.support.webp import check_webp

STARTS = {  # of files; the second half only to say what a file is that is not read
    "JPEG": rb"\xff\xd8\xff", "PNG": re.escape(png.START), "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]", "WEBP": rb"RIFF(?s:....)WEBP", "GIF": rb"GIF8",
    "EPS": rb"%!PS|\xc5\xd0\xd3\xc6", "PSD": rb"8BPS", "PDF": rb"%PDF",
    "HEIF or AVIF": rb"(?s:....)ftyp", "text with tags": rb"\s*<"}


class Picture(NamedTuple):
    """A file that may be decoded: its bytes, what they are, and what its header says."""

    path: Path | str
    content: bytes
    format: str
    header: Png | Jpeg | None  # None for every other format


def open_picture(path: Path | str, formats: Sequence[str]) -> Picture:
    """The bytes of a picture file that is one of `formats` by its content; PNG and JPEG whole.

    Raises `DataError` (E-IMAGE) when the file is missing, no regular file, of another kind,
    damaged, cut short, or larger than `MAX_BYTES` or `MAX_PIXELS`; E-CHANGED for a known file
    (`deeplab.support.known`) with other bytes.
    """
    try:
        stat = Path(path).stat()
        if not S_ISREG(stat.st_mode):
            raise damaged(path, "a folder, pipe or device")
        if stat.st_size > MAX_BYTES:
            raise too_large(path, f"{stat.st_size:,} bytes", f"{MAX_BYTES:,} bytes")
        content = Path(path).read_bytes()
    except OSError as error:
        raise damaged(path, error.strerror) from error
    check_known(path, stat, content)
    kind = format_of(content)
    if kind not in formats:
        raise DataError.of(
            "E-IMAGE", "a file that is no picture of a kind that is read", file=path,
            found=kind or (f"unknown content, {len(content):,} bytes" if content else "no bytes"),
            expected=f"{', '.join(formats)}, whatever its name",
            do="convert it to PNG; if it should be a picture already, copy or unpack it again")
    if kind == "WEBP":
        check_webp(content, path)
    parse = {"PNG": parse_png, "JPEG": parse_jpeg}.get(kind)
    return Picture(path, content, kind, parse(content, path) if parse else None)


def format_of(content: bytes) -> str | None:
    """The format that the first bytes of a file tell, such as PNG; None for an unknown one."""
    return next((name for name, start in STARTS.items() if re.match(start, content)), None)
