"""Whatever lies in an image file: the right pixels, or an error that names the file."""

import io
import os
import random
import re
import struct
import time
import zlib

import imagecodecs
import numpy as np
import pytest
from dataset_trees import save
from PIL import Image, ImageOps

from deeplab.data.catalog import DATASETS
from deeplab.data.images import index_png, read_image, read_indices, read_label, read_photo
from deeplab.support.errors import DataError
from deeplab.support.void import VOID_COLOUR

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


@pytest.mark.parametrize(("mode", "found"), [
    ("1", "grey, 1 bits(?s:.*)8-bit grey"), ("RGB", "RGB, 8 bits(?s:.*)data convert"),
    ("RGBA", "RGBA(?s:.*)data convert"), ("LA", "grey with alpha"),
    ("I;16", "grey, 16 bits(?s:.*)8-bit grey")])
def test_a_label_that_is_not_an_index_image_is_refused(tmp_path, mode, found):
    path = tmp_path / "label.png"
    Image.new("RGB", (4, 4), (9, 90, 9)).convert(mode.split(";")[0]).convert(mode).save(path)
    with pytest.raises(DataError, match=rf"E-LABEL(?s:.*)found: {found}"):
        read_label(path, VOC)


def test_class_numbers_in_three_channels_are_told_from_colours(tmp_path):
    save(tmp_path / "label.png", np.full((4, 4, 3), 7))
    with pytest.raises(DataError, match="E-LABEL(?s:.*)all three alike(?s:.*)one of the channels"):
        read_label(tmp_path / "label.png", VOC)


def test_grey_of_four_bits_is_refused_because_its_values_would_be_scaled(tmp_path):
    path = tmp_path / "label.png"
    path.write_bytes(png(width=2, height=1, bits=4, color_type=0, pixels=b"\0\x01"))
    assert np.array(Image.open(path)).tolist() == [[0, 17]]  # class 1 read as class 17
    with pytest.raises(DataError, match="E-LABEL(?s:.*)found: grey, 4 bits"):
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
    with pytest.raises(DataError, match="E-IMAGE an image larger(?s:.*)do: scale it down"):
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
    save(tmp_path / "label.png", [[0, 7]], mode="P")
    monkeypatch.setattr("deeplab.support.decode.decoded", None)
    assert np.array_equal(read_image(tmp_path / "image.png"), NOISE)
    assert read_label(tmp_path / "label.png", VOC).tolist() == [[0, 7]]


def test_no_decoder_is_asked_again_when_one_has_refused(tmp_path, monkeypatch):
    """Pillow accepted what libspng refused: rows that are missing, as zeros."""
    def refuse(content):
        raise RuntimeError("IDAT stream too short")

    Image.fromarray(NOISE).save(tmp_path / "image.png")
    monkeypatch.setattr(imagecodecs, "spng_decode", refuse)
    with pytest.raises(DataError, match="E-IMAGE(?s:.*)IDAT stream too short"):
        read_image(tmp_path / "image.png")


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
    """False headers and false pixel data, with checksums that fit."""
    rng, path = random.Random(0), tmp_path / "image.png"
    lines = b"".join(b"\4" + line.tobytes() for line in NOISE.reshape(40, -1))
    outcomes = []
    for turn in range(600):
        if turn % 2:
            size = {"width": rng.choice((0, 1, 49, 50, 51, 300)), "height": rng.choice((0, 39, 41))}
            content = png(**size, bits=8, color_type=rng.choice((0, 2)), pixels=lines)
        else:
            content = png(width=50, height=40, bits=8, color_type=2,
                          pixels=lines[:rng.randrange(2 * len(lines))], more=[
                              (rng.choice((b"tRNS", b"gAMA", b"iCCP", b"eXIf", b"zTXt")),
                               rng.randbytes(6))])
        path.write_bytes(content)
        want = pillow(bytes(content))
        try:
            got = read_image(path)
        except DataError:
            outcomes.append("refused")
            continue
        outcomes.append("read")
        if want is not None and want.ndim == 3 and want.shape[2] == 3:
            assert np.array_equal(got, want)
    assert outcomes.count("refused") > 100 and outcomes.count("read") > 50


@pytest.mark.parametrize("count", [300, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_every_single_flipped_bit_of_a_png_file_is_refused(tmp_path, count, mode):
    path, rng = tmp_path / "image.png", random.Random(0)
    save(path, NOISE[..., 0] % 21 if mode != "RGB" else NOISE, mode=mode)
    whole = path.read_bytes()
    for _ in range(count):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        with pytest.raises(DataError, match="E-IMAGE"):
            read_image(path) if mode == "RGB" else read_label(path, VOC)


@pytest.mark.parametrize("lost", [1, 51, 400, 39 * 51])
@pytest.mark.parametrize("color_type", [0, 3])
def test_a_label_whose_pixel_data_end_early_is_refused(tmp_path, color_type, lost):
    """With checksums that fit; Pillow reads the missing rows as zeros."""
    pixels = b"".join(b"\0" + bytes([row % 21]) * 50 for row in range(40))[:-lost]
    (tmp_path / "label.png").write_bytes(png(
        width=50, height=40, bits=8, color_type=color_type, pixels=pixels,
        more=[(b"PLTE", bytes(range(63)))]))
    with pytest.raises(DataError, match="E-IMAGE(?s:.*)rows are missing"):
        read_label(tmp_path / "label.png", VOC)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1},
                                     {"subsampling": 0}, {"mode": "L"}, {"mode": "CMYK"}])
def test_a_jpeg_file_that_lacks_coded_pixels_is_refused_although_it_ends_well(tmp_path, options):
    """libjpeg puts grey where it has no data, and only warns, which Pillow does not pass on."""
    options, path = dict(options), tmp_path / "image.jpg"
    picture = Image.fromarray(NOISE.repeat(4, 0).repeat(4, 1)).convert(options.pop("mode", "RGB"))
    picture.save(path, **options)
    whole, start = path.read_bytes(), path.read_bytes().rindex(b"\xff\xda") + 20
    assert np.array_equal(read_image(path, thorough=True), read_image(path))
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(whole[:start + int(share * (len(whole) - start))] + b"\xff\xd9")
        assert pillow(path.read_bytes()) is not None
        with pytest.raises(DataError, match="E-IMAGE(?s:.*)(lacks a part|parts of a scan)"):
            read_image(path)
    path.write_bytes(whole[:-5] + b"\xff\xd9")
    with pytest.raises(DataError, match="E-IMAGE(?s:.*)lacks a part"):
        read_image(path, thorough=True)


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 7}])
def test_a_jpeg_file_cut_between_its_parts_is_refused(tmp_path, options):
    picture, path = Image.fromarray(NOISE.repeat(4, 0)), tmp_path / "image.jpg"
    picture.save(path, **options)
    whole = path.read_bytes()
    for part in re.finditer(rb"\xff[\xd0-\xd7\xda]", whole):
        path.write_bytes(whole[:part.start()] + b"\xff\xd9")
        with pytest.raises(DataError, match="E-IMAGE(?s:.*)(parts of a scan|without all scans)"):
            read_image(path)


def test_scans_are_bounded_by_the_time_that_they_take(tmp_path):
    """Each scan goes over all coefficients again; a picture at the bound takes ten seconds."""
    path = tmp_path / "image.jpg"
    Image.new("L", (3000, 3000), 90).save(path, progressive=True)
    whole = path.read_bytes()
    last = whole[whole.rindex(b"\xff\xda"):-2]
    assert read_image(path).shape == (3000, 3000, 3)
    for copies, found in ((61, "more than 59 scans of 3,000 x 3,000"), (53, None)):
        path.write_bytes(whole[:-2] + copies * last + b"\xff\xd9")
        if found:
            with pytest.raises(DataError, match=f"E-IMAGE an image larger(?s:.*){found}"):
                read_image(path)
        else:
            begin = time.process_time()
            read_image(path)
            assert time.process_time() - begin < 20  # on a slow machine
    Image.new("L", (400, 400), 90).save(path, progressive=True)
    small = path.read_bytes()
    path.write_bytes(small[:-2] + 64 * small[small.rindex(b"\xff\xda"):-2] + b"\xff\xd9")
    with pytest.raises(DataError, match="E-IMAGE(?s:.*)more than 64 scans of 400 x 400"):
        read_image(path)


@pytest.mark.parametrize("colour", [(128, 128, 128), (127, 128, 129), (200, 90, 118)])
def test_a_grey_corner_is_no_reason_to_refuse_a_jpeg_file(tmp_path, colour):
    Image.new("RGB", (50, 40), colour).save(tmp_path / "image.jpg")
    assert read_image(tmp_path / "image.jpg", thorough=True).shape == (40, 50, 3)


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "WEBP", "EPS", "PDF", "ICO", "PPM"])
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_dataset_has_jpeg_and_png_files_only_whatever_their_names(tmp_path, format, ending):
    path = tmp_path / f"x.{ending}"
    Image.fromarray(NOISE).save(path, format)
    with pytest.raises(DataError, match="E-IMAGE(?s:.*)expected: JPEG, PNG, whatever its name"):
        read_image(path)
    with pytest.raises(DataError, match="E-(IMAGE|LABEL)"):
        read_label(path, VOC)
    if format in ("BMP", "TIFF"):
        assert np.array_equal(read_photo(path), NOISE)
    elif format != "WEBP":
        with pytest.raises(DataError, match="E-IMAGE(?s:.*)expected: JPEG, PNG, BMP, TIFF, WEBP"):
            read_photo(path)


def test_no_program_is_started_for_a_picture(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.Popen.__init__", lambda *args, **more: pytest.fail("started"))
    for number, start in enumerate((b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
                                    b"\xc5\xd0\xd3\xc6" + bytes(40), b"8BPS\0\1" + bytes(40))):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(start)
        for read in (read_image, read_photo, read_indices):
            with pytest.raises(DataError, match="E-IMAGE(?s:.*)found: (EPS|PSD)"):
                read(path)


@pytest.mark.parametrize(("format", "options"), [
    ("JPEG", {"quality": 95}), ("WEBP", {}), ("WEBP", {"lossless": True}), ("BMP", {})])
def test_a_label_in_another_format_than_png_is_refused_by_name(tmp_path, format, options):
    Image.new("L", (16, 16)).save(tmp_path / "label.png", format, **options)
    with pytest.raises(DataError, match=f"E-LABEL a label that is not PNG(?s:.*)found: {format}"):
        read_label(tmp_path / "label.png", VOC)


def with_orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("value", range(1, 9))
def test_exif_turns_a_photograph_once(tmp_path, format, value):
    Image.fromarray(NOISE).save(tmp_path / "x", format, exif=with_orientation(value))
    with Image.open(tmp_path / "x") as image:
        image.load()
        assert np.array_equal(read_photo(tmp_path / "x"), ImageOps.exif_transpose(image))


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("value", range(1, 9))
def test_an_image_of_a_dataset_that_exif_turns_is_refused(tmp_path, format, value):
    Image.fromarray(NOISE).save(tmp_path / "x", format, exif=with_orientation(value))
    if value == 1:
        assert read_image(tmp_path / "x").shape == NOISE.shape
    else:
        with pytest.raises(DataError, match=f"EXIF orientation(?s:.*)found: orientation {value}"):
            read_image(tmp_path / "x")
        save(tmp_path / "x.png", [[0, 7]], exif=with_orientation(value))
        with pytest.raises(DataError, match=f"EXIF orientation(?s:.*)found: orientation {value}"):
            read_label(tmp_path / "x.png", VOC)


@pytest.mark.parametrize("exif", [
    b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(
    range(200)), b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12" * 40])
def test_metadata_that_cannot_be_read_turn_nothing_and_end_nothing(tmp_path, exif):
    Image.fromarray(NOISE).save(tmp_path / "x.jpg", exif=exif, icc_profile=b"no profile" * 9)
    Image.fromarray(NOISE).save(tmp_path / "x.png", exif=exif, icc_profile=b"no profile" * 9)
    for name in ("x.jpg", "x.png"):
        assert np.array_equal(read_image(tmp_path / name), read_photo(tmp_path / name))


def test_pipes_folders_and_endless_files_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with open(tmp_path / "huge.png", "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(1 << 34)
    for path in (tmp_path / "pipe.jpg", "/dev/zero", tmp_path, tmp_path / "huge.png"):
        with pytest.raises(DataError, match="E-IMAGE"):
            read_image(path)


def palette_label(path, values, colours):
    image = Image.fromarray(np.asarray(values, np.uint8))
    image.putpalette(bytes(np.asarray(colours, np.uint8)))
    image.save(path)
    return path


@pytest.mark.parametrize(("values", "order"), [
    ([[0, 1, 2]], [1, 0, 2]), ([[0, 0, 1]], [2, 1, 0]), ([[5, 5, 5]], [0, 1, 2, 3, 4, 20]),
    ([[0, 1, 2]], [0, 255, 1]), ([[0, 1, 2]], [2, None, 0]), ([[0, 1, 9]], [1, 0, 2])])
def test_a_palette_of_the_datasets_colours_in_another_order_is_refused(tmp_path, values, order):
    """Also with the void of the dataset, with one foreign colour, and without some colours."""
    colours = dict(enumerate(VOC.palette)) | {255: VOID_COLOUR, None: (1, 2, 3)}
    path = palette_label(tmp_path / "x.png", values, [colours[index] for index in order])
    with pytest.raises(DataError, match="palette has the classes' colours in another order"
                                        "(?s:.*)is coloured as(?s:.*)data convert"):
        read_label(path, VOC)


@pytest.mark.parametrize("colours", [
    VOC.palette, [(index, index, index) for index in range(256)], [(0, 0, 0)] * 21,
    [(9, 8, index) for index in range(21)],
    [*VOC.palette[:3], VOC.palette[7], *VOC.palette[4:]]])  # at a value that does not occur
def test_other_palettes_say_nothing(tmp_path, colours):
    path = palette_label(tmp_path / "x.png", [[0, 1, 2]], colours)
    assert read_label(path, VOC).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("name", DATASETS)
def test_our_own_index_images_contradict_no_entry(tmp_path, name):
    facts = DATASETS[name]
    raw = np.repeat(np.array([facts.raw_values], np.uint8), 2, 0)
    (tmp_path / "x.png").write_bytes(index_png(raw, facts))
    assert np.array_equal(read_label(tmp_path / "x.png", facts)[0], range(facts.num_classes))


@pytest.mark.parametrize("format", ["BMP", "TIFF", "WEBP"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("limit", [1500, 700])
def test_a_photograph_above_the_limit_is_refused_in_its_own_words(tmp_path, monkeypatch, format,
                                                                  limit):
    """Pillow itself only warns up to twice the limit."""
    Image.fromarray(NOISE).save(tmp_path / "x.img", format)
    monkeypatch.setattr("deeplab.support.intact.MAX_PIXELS", limit)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataError, match="E-IMAGE an image larger than is read(?s:.*)tiles"):
        read_photo(tmp_path / "x.img")
