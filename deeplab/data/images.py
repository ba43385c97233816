"""Decode images and labels, and refuse every file that is not what it claims to be.

Pillow judges every file. Plain PNG files are decoded by libspng, which takes half the time; what
it does not like goes to Pillow too, which says what is wrong. OpenCV's decoders are not used:
crafted files crash them.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
from PIL import Image, ImageOps

from deeplab.data.labelset import NOT_ALLOWED, LabelSet
from deeplab.support.errors import DataError

MAX_PIXELS = Image.MAX_IMAGE_PIXELS  # where Pillow only warns of a decompression bomb
SHOWN_VALUES = 6  # values that an error message lists


def read_image(path: Path | str) -> np.ndarray:
    """An image file as uint8 (H, W, 3), RGB, read-only; grey, palette and CMYK are converted.

    Raises `DataError` (E-IMAGE) when the file is missing, damaged, cut short, larger than
    `MAX_PIXELS` or has more than 8 bits per channel.
    """
    pixels = _plain_png(path, "RGB")
    return _rgb(_decode(path)[0], path) if pixels is None else pixels


def read_photo(path: Path | str) -> np.ndarray:
    """As `read_image`, but turned upright if the camera noted that it was held otherwise.

    The images of a dataset are never turned, for their labels are not.
    """
    return _rgb(ImageOps.exif_transpose(_decode(path)[0]), path)


def _rgb(image: Image.Image, path: Path | str) -> np.ndarray:
    if image.mode.startswith(("I", "F")):
        raise DataError.of("E-IMAGE", "an image with more than 8 bits per channel", file=path,
                           found=f"mode {image.mode}", expected="8-bit RGB or grey",
                           do="re-export the image with 8 bits per channel")
    # `convert` copies even what is RGB already
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def read_label(path: Path | str, label_set: LabelSet) -> np.ndarray:
    """A label file as train ids, uint8 (H, W), 255 = ignore.

    The index of a palette image is the value; its colours do not matter. Raises `DataError`:
    E-IMAGE as above, E-LABEL for a file that is no 8-bit index image or holds a value that
    the label set does not know.
    """
    raw = read_indices(path)
    label = cv2.LUT(raw, label_set.lookup)
    refused = label == NOT_ALLOWED
    if refused.any():
        raise DataError.of(
            "E-LABEL", "value not allowed in a label image", file=path,
            found=_describe(raw, refused), expected=f"{label_set.allowed} ({label_set.title})",
            do="re-export the label as an index image, or choose the dataset it belongs to")
    return label


def read_indices(path: Path | str) -> np.ndarray:
    """The raw values of an index image (palette or 8-bit grey), uint8 (H, W), read-only."""
    pixels = _plain_png(path, "L")
    if pixels is not None:
        return pixels
    image, stored = _decode(path)
    if image.mode not in ("P", "L") or stored in ("L;2", "L;4"):
        raise DataError.of(
            "E-LABEL", "a label that is not an index image", file=path,
            found=f"mode {image.mode}, stored as {stored}",
            expected="a palette (P) or 8-bit grey (L) PNG whose values are class numbers",
            do="convert the colours to class numbers; a colour image is not a label")
    return np.asarray(image)


def index_png(raw: np.ndarray, label_set: LabelSet | None = None) -> bytes:
    """Raw label values, uint8 (H, W), as a PNG file in the dataset's palette, or in grey."""
    picture = Image.fromarray(raw)
    if label_set:
        picture.putpalette(label_set.raw_palette)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _plain_png(path: Path | str, mode: str) -> np.ndarray | None:
    """The pixels of a PNG file that stores 8-bit `mode` ("RGB" or "L") line by line, read-only.

    None for any other file, and for one that libspng refuses.
    """
    try:
        with Image.open(path) as image:
            stored = image.tile[0][-1] if image.tile else None
            if not (image.format == "PNG" and image.mode == stored == mode
                    and image.width * image.height <= MAX_PIXELS
                    and not image.info.get("interlace") and not image.is_animated):
                return None
            shape = (image.height, image.width, 3)[:2 if mode == "L" else 3]
        pixels = imagecodecs.spng_decode(Path(path).read_bytes())
    except Exception:  # Pillow's and libspng's are of many kinds; `_decode` says what is wrong
        return None
    pixels.setflags(write=False)
    return pixels if pixels.shape == shape and pixels.dtype == np.uint8 else None


def _decode(path: Path | str) -> tuple[Image.Image, object]:
    """The fully decoded image, and how its pixels were stored in the file.

    The latter matters for labels: Pillow scales 2- and 4-bit grey to 0..255, so that class 1
    would silently become 85 or 17.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{image.width} x {image.height} pixels, limit {MAX_PIXELS:,}")
            stored = image.tile[0][-1] if image.tile else image.mode
            image.load()
    except Exception as error:  # Pillow's decoders raise many kinds for a damaged file
        raise DataError.of("E-IMAGE", "a file that cannot be decoded", file=path,
                           found=f"{type(error).__name__}: {error}",
                           expected="a whole JPEG or PNG file",
                           do="copy or unpack this file again") from error
    return image, stored


def _describe(raw: np.ndarray, refused: np.ndarray) -> str:
    """Values, pixel counts and first position of the pixels marked in `refused`."""
    values, counts = np.unique(raw[refused], return_counts=True)
    listed = ", ".join(f"{value} ({count} pixels)" for value, count
                       in list(zip(values, counts))[:SHOWN_VALUES])
    more = f" and {len(values) - SHOWN_VALUES} more values" if len(values) > SHOWN_VALUES else ""
    row, column = np.argwhere(refused)[0]
    return f"{listed}{more}, first at row {row}, column {column}"
