"""Whatever lies in an image file: the right pixels, or an error that names the file."""

import io
import random
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from dataset_trees import save
from PIL import Image

from deeplab.data.catalog import DATASETS
from deeplab.data.images import read_image, read_indices, read_label
from deeplab.support.errors import DataError

VOC = DATASETS["voc"]
NOISE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


def process_group(*chunks):
    """The bytes of a PNG file of (kind, data) chunks, whose checksums are right."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks)


def png(*, width, height, bits, color_type, pixels, more=()):
    """A PNG written by hand, so that no library decides how the pixels are stored."""
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    return process_group((b"IHDR", header), *more, (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))


def pillow(content):
    """The pixels by Pillow alone, or None where it refuses the file."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image)
    except Exception:
        return None


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


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", range(5))
def test_every_line_filter_of_png_is_undone(tmp_path, kind, channels):
    """Lines of one filter each (0 none, 1 left, 2 above, 3 mean, 4 Paeth) against Pillow."""
    lines = NOISE[..., :channels].reshape(40, -1)
    content = png(width=50, height=40, bits=8, color_type=2 if channels == 3 else 0,
                  pixels=b"".join(bytes([kind]) + line.tobytes() for line in lines))
    (tmp_path / "image.png").write_bytes(content)
    read = read_image if channels == 3 else read_indices
    got = read(tmp_path / "image.png")
    assert np.array_equal(got, pillow(content)) and not got.flags.writeable


def test_plain_png_files_do_not_pass_through_pillows_slow_decoder(tmp_path, monkeypatch):
    Image.fromarray(NOISE).save(tmp_path / "image.png")
    save(tmp_path / "label.png", [[0, 7]], mode="L")
    monkeypatch.setattr("deeplab.data.images._decode", None)
    assert np.array_equal(read_image(tmp_path / "image.png"), NOISE)
    assert read_label(tmp_path / "label.png", VOC).tolist() == [[0, 7]]


def test_what_libspng_refuses_is_left_to_pillow(tmp_path, monkeypatch):
    def refuse(content):
        raise imagecodecs.SpngError("spng_decode_image", 1)

    Image.fromarray(NOISE).save(tmp_path / "image.png")
    monkeypatch.setattr(imagecodecs, "spng_decode", refuse)
    assert np.array_equal(read_image(tmp_path / "image.png"), NOISE)


@pytest.mark.parametrize("option", [{"transparency": (1, 2, 3)}, {"interlace": 1}])
def test_other_png_files_give_pillows_pixels(tmp_path, option):
    interlaced = option.pop("interlace", 0)
    Image.fromarray(NOISE).save(tmp_path / "image.png", **option)
    content = bytearray((tmp_path / "image.png").read_bytes())
    if interlaced:  # the same lines as seven passes: other pixels, or an error, but Pillow's
        content[28] = 1
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
        (tmp_path / "image.png").write_bytes(content)
    want = pillow(bytes(content))
    if want is None:
        with pytest.raises(DataError, match="E-IMAGE"):
            read_image(tmp_path / "image.png")
    else:
        assert np.array_equal(read_image(tmp_path / "image.png"), want)


def test_damaged_png_files_are_refused_or_read_as_pillow_reads_them(tmp_path):
    """Flipped bits, false headers and false pixel data, with checksums that fit and without."""
    rng, path = random.Random(0), tmp_path / "image.png"
    lines = b"".join(b"\4" + line.tobytes() for line in NOISE.reshape(40, -1))
    outcomes = []
    for turn in range(600):
        if turn % 3 == 0:
            content = bytearray(png(width=50, height=40, bits=8, color_type=2, pixels=lines))
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        elif turn % 3 == 1:
            size = {"width": rng.choice((0, 1, 49, 50, 51, 300)), "height": rng.choice((0, 39, 41))}
            content = png(**size, bits=8, color_type=rng.choice((0, 2)), pixels=lines)
        else:
            content = png(width=50, height=40, bits=8, color_type=2,
                          pixels=lines[:rng.randrange(2 * len(lines))], more=[
                              (rng.choice((b"tRNS", b"gAMA", b"PLTE")), rng.randbytes(6))])
        path.write_bytes(content)
        want = pillow(bytes(content))
        try:
            got = read_image(path)
        except DataError:
            outcomes.append("refused")
            continue
        outcomes.append("read")
        if want.ndim == 3 and want.shape[2] == 3:
            assert np.array_equal(got, want)
    assert outcomes.count("refused") > 100 and outcomes.count("read") > 50
