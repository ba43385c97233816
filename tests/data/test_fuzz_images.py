"""Whatever the bytes, a picture file gives pixels or an error of ours, and soon."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from mutate import mutations
from PIL import Image

from deeplab.data.catalog import DATASETS
from deeplab.data.images import read_image, read_label, read_photo
from deeplab.support.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
LABEL = PIXELS[..., 0] % 21


def encoded(pixels, format, mode=None, **options):
    file = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(file, format, **options)
    return file.getvalue()


def exif():
    notes = Image.Exif()
    notes[0x0112], notes[0x010F] = 1, "a camera"
    return notes


SEEDS = {
    "jpeg": encoded(PIXELS, "JPEG", exif=exif(), icc_profile=b"profile"),
    "progressive": encoded(PIXELS, "JPEG", progressive=True),
    "restarts": encoded(PIXELS, "JPEG", restart_marker_rows=1),
    "cmyk": encoded(PIXELS, "JPEG", "CMYK"),
    "png": encoded(PIXELS, "PNG", exif=exif(), icc_profile=b"profile"),
    "palette": encoded(LABEL, "PNG", "P", transparency=3), "grey": encoded(LABEL, "PNG"),
    "alpha": encoded(PIXELS, "PNG", "RGBA"), "bmp": encoded(PIXELS, "BMP"),
    "tiff": encoded(PIXELS, "TIFF", compression="tiff_lzw"), "webp": encoded(PIXELS, "WEBP"),
}


def with_right_checksums(png):
    """The file with the checksums that its chunks should have, so that others are asked too."""
    fixed, at = png[:8], 8
    while at + 12 + (length := int.from_bytes(png[at:at + 4], "big")) <= len(png):
        body = png[at + 4:at + 8 + length]
        fixed += png[at:at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return fixed + png[at:]


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.filterwarnings("ignore")
def test_mutated_files_give_pixels_or_an_error_of_ours_and_soon(tmp_path, name):
    path = tmp_path / "picture"
    for number, content in enumerate(mutations(SEEDS[name], name)):
        if content[1:4] == b"PNG" and number % 3:
            content = with_right_checksums(content)
        path.write_bytes(content)
        for read in (read_image, read_photo, lambda path: read_label(path, DATASETS["voc"])):
            begin = time.process_time()  # other processes may take the machine meanwhile
            try:
                assert read(path).dtype == np.uint8
            except DataError as error:
                assert str(path) in str(error)
            assert time.process_time() - begin < 5
