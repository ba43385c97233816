"""A WebP file of a few bytes takes no memory by claiming millions of pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from deeplab.data.images import read_photo
from deeplab.support.errors import DataError
from deeplab.support.webp import check_webp

TOLD = Image.Exif()
TOLD[0x010F] = "a camera"


def webp(height, width, **options):
    file = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(file, "WEBP", **options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": TOLD}, {"quality": 5}])
def test_a_plain_picture_of_12_million_pixels_is_read(tmp_path, options):
    content = webp(3000, 4000, **options)
    (tmp_path / "x").write_bytes(content)
    assert read_photo(tmp_path / "x").shape == (3000, 4000, 3)


@pytest.mark.parametrize("at, value, text", [
    (24, (9000 - 1).to_bytes(3, "little") + (9000 - 1).to_bytes(3, "little"), "9,000 x 9,000 pix"),
    (24, b"\xff" * 6, "16,777,216 x 16,777,216 pixels"), (12, b"ALPH", "begins with the chunk")])
def test_a_size_that_so_few_bytes_cannot_fill_is_refused_before_it_is_opened(
        tmp_path, monkeypatch, at, value, text):
    content = bytearray(webp(8, 9, exif=TOLD))
    assert content[12:16] == b"VP8X" and check_webp(content, "x") is None
    content[at:at + len(value)] = value
    (tmp_path / "x").write_bytes(content)
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(DataError, match=f"E-IMAGE(?s:.*){text}"):
        read_photo(tmp_path / "x")


@pytest.mark.parametrize("options", [{}, {"lossless": True}])
def test_the_size_is_the_one_that_the_picture_has(options):
    content = webp(8, 16383, **options)
    for length in range(12, 30):
        with pytest.raises(DataError, match="E-IMAGE"):
            check_webp(content[:length], "x")
    wide = bytearray(content)
    if options:  # 14 bits of the height, behind those of the width
        wide[22:25] = (int.from_bytes(wide[22:25], "little") | 0x3FFF << 6).to_bytes(3, "little")
    else:
        wide[28:30] = b"\xff\x3f"
    with pytest.raises(DataError, match="16,383 x 16,38[34] pixels"):
        check_webp(wide, "x")
