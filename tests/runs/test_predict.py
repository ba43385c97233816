"""Photographs of any size and kind become label images, overlays and areas."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from lively import lively_state
from PIL import Image

from deeplab.cli.main import main
from deeplab.data.catalog import get_dataset
from deeplab.data.colours import overlay
from deeplab.data.images import read_label
from deeplab.runs import predict as module
from deeplab.runs.predict import areas, label_photos, weights_config
from deeplab.support.errors import CheckpointError, DataError, UsageError
from deeplab.weights.files import WeightFile, save_weights

ROW = "cityscapes_r50_d16"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of the demo's size that say whose they are."""
    return save_weights(tmp_path_factory.mktemp("weights") / "w.safetensors",
                        lively_state(ROW, "demo"), row_id=ROW, profile="demo")


def photo(path, height, width, mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3))
    picture = Image.fromarray(noise.astype(np.uint8)).resize((width, height)).convert(mode)
    picture.save(path, **options)
    return path


@pytest.mark.parametrize(("height", "width", "mode", "ending"), [
    (60, 90, "RGB", "jpg"), (1, 1, "RGB", "png"), (3, 400, "RGB", "png"), (90, 61, "L", "png"),
    (64, 64, "RGBA", "png"), (64, 64, "P", "png"), (50, 70, "CMYK", "jpg"), (33, 47, "1", "png")])
def test_any_size_and_colour_mode_gives_a_label_of_its_size(tmp_path, weights, height, width,
                                                            mode, ending):
    path = photo(tmp_path / f"x.{ending}", height, width, mode)
    (found,) = label_photos([str(path)], weights, out=tmp_path / "out")
    label = read_label(found.label, get_dataset("cityscapes"))
    assert label.shape == (height, width) and label.max() < 19
    assert Image.open(found.overlay).size == (width, height)
    assert sum(pixels for _, pixels, _ in found.areas) == height * width
    assert sum(share for *_, share in found.areas) == pytest.approx(100)


def test_a_photograph_is_turned_upright_as_its_camera_noted(tmp_path, weights):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by 90 degrees
    path = photo(tmp_path / "x.jpg", 40, 80, exif=exif)
    (found,) = label_photos([str(path)], weights, out=tmp_path)
    assert Image.open(found.label).size == (40, 80)


def test_the_label_image_has_the_datasets_values_and_colours(tmp_path, weights):
    (found,) = label_photos([str(photo(tmp_path / "x.png", 64, 64))], weights, out=tmp_path)
    label, facts = Image.open(found.label), get_dataset("cityscapes")
    assert label.mode == "P" and set(np.unique(label)) <= set(facts.raw_values)
    name, pixels, _ = found.areas[0]
    index = facts.classes.index(name)
    shown = (np.array(label.convert("RGB")) == facts.palette[index]).all(2)
    assert shown.sum() == pixels


def test_two_photographs_of_one_name_are_refused(tmp_path, weights):
    words = [str(photo(tmp_path / folder / "x.png", 8, 8)) for folder in "ab"]
    with pytest.raises(UsageError, match="E-TWICE(?s:.*)found: x"):
        list(label_photos(words, weights, out=tmp_path))


def test_no_photograph_is_a_clear_error(tmp_path, weights):
    (tmp_path / "x.jpg").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"E-IMAGE(?s:.*)x\.jpg"):
        list(label_photos([str(tmp_path / "x.jpg")], weights, out=tmp_path))


def test_a_link_in_a_circle_among_photographs_is_a_clear_error(tmp_path, weights):
    words = [str(photo(tmp_path / "photos/a.png", 8, 8)), str(tmp_path / "photos/b.png")]
    (tmp_path / "photos/b.png").symlink_to("b.png")
    with pytest.raises(DataError, match=r"E-IMAGE(?s:.*)b\.png(?s:.*)symbolic links"):
        list(label_photos(words, weights, out=tmp_path / "out"))


def test_the_row_comes_from_the_option_the_file_or_its_published_name(tmp_path, weights):
    assert weights_config(WeightFile.read(weights)).row.row_id == ROW
    named = tmp_path / "deeplabv3_resnet101os8_pascalcontext.pth"
    for path in (named, tmp_path / "mine.pth"):
        torch.save({"a.weight": torch.zeros(1)}, path)
    config = weights_config(WeightFile.read(named))
    assert (config.row.row_id, config.profile.name) == ("context_r101_d8", "full")
    mine = WeightFile.read(tmp_path / "mine.pth")
    with pytest.raises(UsageError, match="E-ROW(?s:.*)--row"):
        weights_config(mine)
    assert weights_config(mine, row_id="voc_r50_d8").row.dataset == "voc"
    with pytest.raises(CheckpointError, match="belong to another row"):
        list(label_photos([str(photo(tmp_path / "x.png", 8, 8))], weights, row_id="voc_r50_d8"))


def test_areas_and_overlay_by_hand():
    facts = get_dataset("voc")
    prediction = np.array([[0, 15], [15, 15]], np.uint8)
    assert areas(prediction, facts) == [("person", 3, 75.0), ("background", 1, 25.0)]
    mixed = overlay(np.full((2, 2, 3), 100, np.uint8), prediction, facts)
    assert mixed[0, 0].tolist() == [40, 40, 40]  # 0.4 * 100 + 0.6 * (0, 0, 0)
    assert mixed[0, 1].tolist() == [155, 117, 117]  # 0.4 * 100 + 0.6 * (192, 128, 128)


def test_the_command_prints_a_table_of_areas(tmp_path, weights):
    photo(tmp_path / "in/x.png", 30, 40)
    done = CliRunner().invoke(main, ["predict", str(tmp_path / "in"), "--weights", str(weights),
                                     "--out", str(tmp_path / "out")])
    assert done.exit_code == 0 and "x_label.png" in done.output and " px " in done.output


def predict(tmp_path, *words, code=0):
    done = CliRunner().invoke(main, ["predict", *map(str, words)])
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize("folder", ["", "photos"])
def test_results_among_the_photographs_are_no_photographs(tmp_path, weights, folder):
    """Twice into the folder of the photographs, and a third time when one was added."""
    photo(tmp_path / folder / "a.jpg", 30, 40)
    words = (tmp_path / folder, "--weights", weights, "--out", tmp_path / folder)
    assert "left out" not in predict(tmp_path, *words)
    assert "left out: 2 labels and overlays" in predict(tmp_path, *words)
    photo(tmp_path / folder / "b.png", 30, 40)
    text = predict(tmp_path, tmp_path / folder / "*.[jp][pn]g", *words[1:])  # as a shell may do
    assert "left out: 2" in text
    names = ["a.jpg", "a_label.png", "a_overlay.png", "b.png", "b_label.png", "b_overlay.png"]
    assert sorted(path.name for path in (tmp_path / folder).iterdir() if path.is_file()) == names
    (tmp_path / folder / "a.jpg").unlink()
    (tmp_path / folder / "b.png").unlink()
    text = predict(tmp_path, *words, code=3)
    assert "E-IMAGE there are no photographs here" in text and "4 labels and overlays" in text


@pytest.mark.parametrize("name", ["cat_label.png", "cat_overlay.png"])
def test_a_file_of_the_users_is_replaced_only_when_asked(tmp_path, weights, name):
    photo(tmp_path / "cat.jpg", 30, 40)
    own = photo(tmp_path / name, 8, 8).read_bytes()
    words = (tmp_path / "cat.jpg", "--weights", weights, "--out", tmp_path)
    text = predict(tmp_path, *words, code=2)
    assert "E-EXISTS" in text and name in text and "--overwrite" in text
    assert (tmp_path / name).read_bytes() == own
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat.jpg", name]
    predict(tmp_path, *words, "--overwrite")
    assert (tmp_path / name).read_bytes() != own
    predict(tmp_path, *words)  # now it is its own


def test_what_an_editor_saved_anew_is_the_users(tmp_path, weights):
    path = photo(tmp_path / "x.jpg", 30, 40)
    (found,) = label_photos([path], weights, out=tmp_path)
    Image.open(found.label).save(found.label)
    with pytest.raises(UsageError, match="E-EXISTS(?s:.*)x_label"):
        list(label_photos([path], weights, out=tmp_path))


def test_not_even_overwrite_replaces_a_photograph(tmp_path, weights):
    path = photo(tmp_path / "x.png", 30, 40)
    for overwrite in (False, True):
        with pytest.raises(UsageError, match=r"E-EXISTS(?s:.*)x\.png"):
            list(label_photos([path], weights, out=tmp_path, raw=True, overwrite=overwrite))


def test_raw_writes_the_datasets_own_ids_in_grey_and_nothing_else(tmp_path, weights):
    path = photo(tmp_path / "ulm_000000_000019_leftImg8bit.png", 64, 64)
    (coloured,) = label_photos([path], weights, out=tmp_path / "a")
    text = predict(tmp_path, path, "--weights", weights, "--out", tmp_path / "b", "--raw")
    (found,) = (tmp_path / "b").iterdir()
    assert found.name == path.name and f"-> {found}\n" in text
    with Image.open(found) as image, Image.open(coloured.label) as other:
        assert image.mode == "L" and np.array_equal(image, other)
        assert set(np.unique(image)) <= set(get_dataset("cityscapes").raw_values)


def test_published_weights_need_a_row_and_no_dataset(tmp_path, weights, monkeypatch):
    fetched = []
    monkeypatch.setattr("deeplab.runs.predict.published_weights",
                        lambda row: fetched.append(row.row_id) or weights)
    monkeypatch.setenv("DEEPLAB_DATA", str(tmp_path / "nowhere"))
    path = photo(tmp_path / "x.jpg", 30, 40)
    words = (path, "--weights", "published", "--out", tmp_path)
    assert "E-ROW published weights" in predict(tmp_path, *words, code=2) and not fetched
    predict(tmp_path, *words, "--row", ROW)
    assert fetched == [ROW] and (tmp_path / "x_label.png").exists()


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "tiff", "webp"])
def test_every_format_with_a_listed_ending_is_labelled(tmp_path, weights, ending):
    path = photo(tmp_path / f"x.{ending}", 20, 30)
    (found,) = label_photos([path], weights, out=tmp_path / "out")
    assert Image.open(found.label).size == (30, 20)


def test_a_photograph_too_large_for_the_gpu_is_said_with_what_would_do(
        tmp_path, weights, monkeypatch):
    def full(model, image, config):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    monkeypatch.setattr(module, "predict_photo", full)
    done = CliRunner().invoke(main, ["predict", str(photo(tmp_path / "x.png", 64, 80)), "--weights",
                                     str(weights), "--out", str(tmp_path)])
    assert done.exit_code == 5
    assert done.output.startswith("E-OOM not enough memory for a photograph of 80 x 64 pixels")
    assert "do: label it on the CPU (--device cpu)" in done.output and "--gpus" not in done.output
