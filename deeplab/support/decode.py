"""The pixels of a picture file, or an error: nothing is filled in where data are missing.

Plain PNG files are decoded by libspng, which takes half the time, all others by Pillow. OpenCV's
decoders are not used: crafted files crash them.
"""

import io
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

from deeplab.support.errors import DataError
from deeplab.support.intact import MAX_PIXELS, check_size, damaged, too_large
from deeplab.support.jpeg import Jpeg, padded
from deeplab.support.pictures import Picture
from deeplab.support.png import GREY, RGB, inflated, plain_png

ORIENTATION = 0x0112  # of EXIF: 1 is upright, 2 to 8 are turned or mirrored
MID_GREY = 128  # what libjpeg puts where it has no data


def orientation(picture: Picture) -> int:
    """The EXIF orientation of a picture, 1..8; 1 where none can be read.

    Also 1 for TIFF, which Pillow turns while it decodes.
    """
    told = getattr(picture.header, "told", None)
    has_none = told is not None and not told.keys() & {0xE1, b"eXIf", b"tEXt", b"zTXt", b"iTXt"}
    if picture.format == "TIFF" or has_none:
        return 1
    try:
        exif = Image.Exif()
        if b"eXIf" in (told or ()):  # which Pillow reads only with the pixels
            exif.load(b"Exif\0\0" + told[b"eXIf"])
        turn = exif.get(ORIENTATION) or _opened(picture).getexif().get(ORIENTATION)
    except Exception:  # Pillow's readers of metadata raise many kinds for what is damaged
        return 1
    return turn if turn in range(1, 9) else 1


def refuse_turned(picture: Picture) -> None:
    """Raise `DataError` (E-IMAGE) for an image or a label of a dataset that EXIF turns."""
    turn = orientation(picture)
    if turn != 1:
        raise DataError.of(
            "E-IMAGE", "an image that its EXIF orientation turns", file=picture.path,
            found=f"orientation {turn}", expected="none, or 1: image and label pixel on pixel",
            do="if labels were drawn on the upright picture, turn the pixels (mogrify -auto-orient "
               "FILE); if not, remove the orientation (exiftool -Orientation= FILE)")


def rgb_pixels(picture: Picture, *, thorough: bool = False) -> np.ndarray:
    """The pixels as uint8 (H, W, 3), read-only; other 8-bit modes are converted.

    Raises `DataError` (E-IMAGE) for a damaged file and for more than 8 bits per channel. With
    `thorough` even the last bits of a JPEG file must be there, which takes twice the time.
    """
    header = picture.header
    if picture.format == "PNG" and (header.color_type, header.bits, header.interlaced) == (
            RGB, 8, False):
        if thorough:
            inflated(header, picture.path)
        return _by_libspng(picture.content if not header.told else plain_png(header, RGB),
                           picture.path)
    image = decoded(picture)
    if image.mode.startswith(("I", "F")):
        raise DataError.of("E-IMAGE", "an image with more than 8 bits per channel",
                           file=picture.path, found=f"mode {image.mode}",
                           expected="8-bit RGB or grey",
                           do="re-export the image with 8 bits per channel")
    # `convert` copies even what is RGB already
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    if isinstance(header, Jpeg) and (thorough or not header.plain or _ends_grey(pixels)):
        content = padded(picture.content, header)
        again = decoded(picture._replace(content=content)).convert("RGB")
        if not np.array_equal(pixels, np.asarray(again)):
            raise damaged(picture.path, "a JPEG file that lacks a part of its coded pixels")
    return pixels


def _ends_grey(pixels: np.ndarray) -> bool:
    """Whether the last block of a JPEG picture is as grey as where libjpeg has no data."""
    height, width = pixels.shape[:2]
    block = pixels[(height - 1) // 8 * 8:, (width - 1) // 8 * 8:]
    return bool((np.abs(block @ np.array([0.299, 0.587, 0.114]) - MID_GREY) < 2).all())


def index_pixels(picture: Picture) -> np.ndarray:
    """The values of a palette or 8-bit grey PNG file, uint8 (H, W), read-only.

    Raises `DataError` (E-IMAGE) for a damaged file.
    """
    png = picture.header
    if png.interlaced or png.bits < 8:
        return np.asarray(decoded(picture))
    lines = np.frombuffer(inflated(png, picture.path), np.uint8).reshape(png.height, -1)
    if lines[:, 0].any():  # a line is stored as differences to its neighbours
        return _by_libspng(plain_png(png, GREY), picture.path)
    values = np.ascontiguousarray(lines[:, 1:])
    values.setflags(write=False)
    return values


def _by_libspng(content: bytes, path: Path | str) -> np.ndarray:
    """The pixels of a PNG file, read-only."""
    try:
        pixels = imagecodecs.spng_decode(content)
    except Exception as error:  # a kind of its own for every codec
        raise damaged(path, error) from error
    pixels.setflags(write=False)
    return pixels


def _opened(picture: Picture) -> Image.Image:
    return Image.open(io.BytesIO(picture.content), formats=[picture.format])


def decoded(picture: Picture) -> Image.Image:
    """The fully decoded image, by Pillow; of several the first."""
    if picture.format == "PNG":
        inflated(picture.header, picture.path)  # Pillow reads on where rows are missing
    try:
        image = _opened(picture)
        check_size(*image.size, picture.path)
        image.load()
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise too_large(picture.path, error, f"{MAX_PIXELS:,} pixels") from error
    except Exception as error:  # Pillow's decoders raise many kinds for a damaged file
        raise damaged(picture.path, f"{type(error).__name__}: {error}") from error
    return image
