"""What makes a picture file unreadable: damage, or more than is ever decoded."""

from pathlib import Path

from PIL import Image

from deeplab.support.errors import DataError

MAX_PIXELS = Image.MAX_IMAGE_PIXELS  # where Pillow only warns of a decompression bomb
MAX_BYTES = 1 << 29  # of a file; more than MAX_PIXELS ever need


def damaged(path: Path | str, found: object) -> DataError:
    """The error (E-IMAGE) for a file that is not whole."""
    return DataError.of("E-IMAGE", "a file that cannot be decoded", file=path, found=found,
                        expected="a whole JPEG or PNG file", do="copy or unpack this file again")


def too_large(path: Path | str, found: object, limit: str) -> DataError:
    """The error (E-IMAGE) for a file that is whole, perhaps, but larger than is read."""
    return DataError.of("E-IMAGE", "an image larger than is read", file=path, found=found,
                        expected=f"at most {limit}",
                        do="scale it down or cut it into tiles; if it should be small, it is "
                           "damaged or a decompression bomb")


def check_size(width: int, height: int, path: Path | str) -> None:
    """Raise `DataError` (E-IMAGE) for more than `MAX_PIXELS` pixels."""
    if width * height > MAX_PIXELS:
        raise too_large(path, f"{width:,} x {height:,} pixels", f"{MAX_PIXELS:,} pixels")
