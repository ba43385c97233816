"""Decode images and labels, and refuse every file that is not what it claims to be.

What a file is, its first bytes say and not its name. A dataset consists of JPEG and PNG files;
photographs may be of a few kinds more. Nothing else reaches a decoder, for some of Pillow's
start other programs.
"""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from deeplab.data.labelset import NOT_ALLOWED, LabelSet
from deeplab.support.decode import ORIENTATION, index_pixels, orientation, refuse_turned, rgb_pixels
from deeplab.support.errors import DataError
from deeplab.support.pictures import Picture, open_picture
from deeplab.support.png import GREY, GREY_ALPHA, PALETTE, moved_colours
from deeplab.support.void import VOID_COLOUR

DATASET_FORMATS = ("JPEG", "PNG")
PHOTO_FORMATS = (*DATASET_FORMATS, "BMP", "TIFF", "WEBP")
SHOWN_VALUES = 6  # values that an error message lists


def read_image(path: Path | str, *, thorough: bool = False) -> np.ndarray:
    """An image of a dataset as uint8 (H, W, 3), RGB, read-only; other 8-bit modes are converted.

    Raises `DataError` (E-IMAGE) for a file that is missing, neither JPEG nor PNG by its content,
    damaged, cut short, too large, or has more than 8 bits per channel; and for one that EXIF
    turns, since no file tells whether its label was drawn before or after. With `thorough`
    even the last bits of a JPEG file must be there, which takes twice the time.
    """
    picture = open_picture(path, DATASET_FORMATS)
    refuse_turned(picture)
    return rgb_pixels(picture, thorough=thorough)


def read_photo(path: Path | str) -> np.ndarray:
    """A photograph, a file of `PHOTO_FORMATS`, as `read_image` gives it, but turned upright.

    The images of a dataset are never turned, for their labels are not.
    """
    picture = open_picture(path, PHOTO_FORMATS)
    image = Image.fromarray(rgb_pixels(picture))
    image.getexif()[ORIENTATION] = orientation(picture)
    return np.asarray(ImageOps.exif_transpose(image))


def read_label(path: Path | str, label_set: LabelSet) -> np.ndarray:
    """A label file as train ids, uint8 (H, W), 255 = ignore.

    The index of a palette image is the value; its colours do not matter, unless they are the
    dataset's own in another order. Raises `DataError`: E-IMAGE as above, E-LABEL for a file
    that is no 8-bit index PNG, holds a value that the label set does not know, or contradicts
    itself so.
    """
    raw, palette = _indices(path)
    label = cv2.LUT(raw, label_set.lookup)
    refused = label == NOT_ALLOWED
    if refused.any():
        raise DataError.of(
            "E-LABEL", "value not allowed in a label image", file=path,
            found=_describe(raw, refused), expected=f"{label_set.allowed} ({label_set.title})",
            do="re-export the label as an index image, or choose the dataset it belongs to; where "
               "labels were resized by interpolation or saved in a lossy format, make them anew")
    names = {VOID_COLOUR: "ignored"} | dict(zip(label_set.palette, label_set.classes))
    if palette and (moved := moved_colours(
            palette, names, dict(zip(label_set.raw_values, label_set.palette)), raw)):
        raise DataError.of(
            "E-LABEL", "a label whose palette has the classes' colours in another order",
            file=path, found=", ".join(f"value {value} is coloured as {name}" for value, name
                                       in list(moved.items())[:SHOWN_VALUES]),
            expected="each value with the colour that the dataset's entry gives its class",
            do="export it with the class numbers as values (deeplab data convert makes them from "
               "the colours), or correct the order or the colours in the entry")
    return label


def read_indices(path: Path | str) -> np.ndarray:
    """The raw values of an index image (palette or 8-bit grey), uint8 (H, W), read-only."""
    return _indices(path)[0]


def _indices(path: Path | str) -> tuple[np.ndarray, bytes]:
    """The raw values of an index image, and its palette: RGB, RGB, ... or nothing."""
    picture = open_picture(path, PHOTO_FORMATS)
    if picture.format != "PNG":
        raise DataError.of(
            "E-LABEL", "a label that is not PNG", file=path, found=picture.format,
            expected="PNG: lossy formats (JPEG, WEBP) change values at every border",
            do="export the labels as PNG again from where they were drawn; what a lossy format "
               "has changed, no conversion brings back")
    png = picture.header
    if not (png.color_type == PALETTE or (png.color_type, png.bits) == (GREY, 8)):
        raise _no_index_image(picture)
    refuse_turned(picture)
    return index_pixels(picture), png.palette


def index_palette(path: Path | str) -> bytes:
    """The palette of an index image, RGB, RGB, ...; nothing for one in grey."""
    return _indices(path)[1]


def _no_index_image(picture: Picture) -> DataError:
    """The error (E-LABEL) for a PNG file of colours, or of grey that is not 8 bits deep."""
    png, found = picture.header, picture.header.kind
    if png.color_type in (GREY, GREY_ALPHA):
        do = "export it with one class number a pixel, as 8-bit grey or with a palette"
    elif png.bits == 8 and (np.ptp(rgb_pixels(picture), axis=2) == 0).all():
        found += ", all three alike"
        do = "save one of the channels as 8-bit grey, if its values are the class numbers"
    else:
        do = ("convert the colours to class numbers (deeplab data convert); a colour image is not "
              "a label")
    return DataError.of("E-LABEL", "a label that is not an index image", file=picture.path,
                        found=found, do=do,
                        expected="a palette or 8-bit grey PNG whose values are class numbers")


def index_png(raw: np.ndarray, label_set: LabelSet | None = None) -> bytes:
    """Raw label values, uint8 (H, W), as a PNG file in the dataset's palette, or in grey."""
    picture = Image.fromarray(raw)
    if label_set:
        picture.putpalette(label_set.raw_palette)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _describe(raw: np.ndarray, refused: np.ndarray) -> str:
    """Values, pixel counts and first position of the pixels marked in `refused`."""
    values, counts = np.unique(raw[refused], return_counts=True)
    listed = ", ".join(f"{value} ({count} pixels)" for value, count
                       in list(zip(values, counts))[:SHOWN_VALUES])
    more = f" and {len(values) - SHOWN_VALUES} more values" if len(values) > SHOWN_VALUES else ""
    row, column = np.argwhere(refused)[0]
    return f"{listed}{more}, first at row {row}, column {column}"
