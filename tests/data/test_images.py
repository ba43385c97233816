"""Whatever lies in an image file: the right pixels, or an error that names the file."""

import struct
import zlib

import numpy as np
import pytest
from dataset_trees import save
from PIL import Image

from deeplab.data.catalog import DATASETS
from deeplab.data.images import read_image, read_label
from deeplab.errors import DataError

VOC = DATASETS["voc"]
NOISE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def png(*, width, height, bits, color_type, pixels):
    """A PNG written by hand, so that no library decides how the pixels are stored."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b""))


@pytest.mark.parametrize("mode", ["L", "P"])
def test_a_label_is_read_by_index_whatever_its_colours(tmp_path, mode):
    """Through grey conversion, person 15 of a palette label would become 147 and void 220."""
    path = save(tmp_path / "label.png", [[0, 1, 15], [20, 255, 0]], mode=mode)
    assert Image.open(path).mode == mode
    assert read_label(path, VOC).tolist() == [[0, 1, 15], [20, 255, 0]]


def test_a_value_that_is_not_allowed_is_named_counted_and_placed(tmp_path):
    path = save(tmp_path / "label.png", [[0, 0, 38], [52, 38, 20]])
    with pytest.raises(DataError) as caught:
        read_label(path, VOC)
    assert str(caught.value).splitlines()[:4] == [
        "E-LABEL value not allowed in a label image", f"  file: {path}",
        "  found: 38 (2 pixels), 52 (1 pixels), first at row 0, column 2",
        "  expected: 0..20 and 255 (PASCAL VOC 2012 + SBD)"]


@pytest.mark.parametrize("mode", ["1", "RGB", "RGBA", "LA", "I;16"])
def test_a_label_that_is_not_an_index_image_is_refused(tmp_path, mode):
    path = tmp_path / "label.png"
    Image.new(mode, (4, 4)).save(path)
    with pytest.raises(DataError, match=rf"E-LABEL a label that is not(.|\n)*found: mode {mode}"):
        read_label(path, VOC)


def test_grey_of_four_bits_is_refused_because_its_values_would_be_scaled(tmp_path):
    path = tmp_path / "label.png"
    path.write_bytes(png(width=2, height=1, bits=4, color_type=0, pixels=b"\0\x01"))
    assert np.array(Image.open(path)).tolist() == [[0, 17]]  # class 1 read as class 17
    with pytest.raises(DataError, match="E-LABEL(.|\n)*stored as L;4"):
        read_label(path, VOC)


def test_a_palette_of_four_bits_is_read_by_index(tmp_path):
    path = tmp_path / "label.png"
    image = Image.new("P", (3, 1))
    image.putpalette([0] * 30)
    image.putdata([0, 1, 9])
    image.save(path, bits=4)
    assert read_label(path, VOC).tolist() == [[0, 1, 9]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK"])
def test_an_image_of_any_eight_bit_mode_becomes_rgb(tmp_path, mode):
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    Image.new("RGB", (16, 8), (153, 153, 153)).convert(mode).save(path)
    image = read_image(path)
    assert image.shape == (8, 16, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(int) - 153).max() <= 2


def test_an_image_of_sixteen_bits_is_refused_not_clipped(tmp_path):
    Image.new("I;16", (4, 4), 5000).save(tmp_path / "image.png")
    with pytest.raises(DataError, match="E-IMAGE an image with more than 8 bits"):
        read_image(tmp_path / "image.png")


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("kept", [0, 0.02, 0.3, 0.6, 0.95])
def test_a_file_that_was_cut_short_is_refused(tmp_path, ending, kept):
    path = tmp_path / f"image.{ending}"
    Image.fromarray(NOISE).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:int(len(content) * kept)])
    with pytest.raises(DataError, match=rf"E-IMAGE(.|\n)*image.{ending}(.|\n)*do: "):
        read_image(path)


def test_what_is_no_image_file_is_refused(tmp_path):
    (tmp_path / "page.jpg").write_text("<html>404</html>")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere")
    for name in ("page.jpg", "folder.jpg", "dangling.jpg", "missing.jpg"):
        with pytest.raises(DataError, match=f"E-IMAGE(.|\n)*{name}"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("side", [10_000, 20_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_small_file_that_claims_a_giant_image_is_refused_undecoded(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(width=side, height=side, bits=8, color_type=0, pixels=b""))
    with pytest.raises(DataError, match="E-IMAGE(.|\n)*(limit|exceeds)"):
        read_image(path)
