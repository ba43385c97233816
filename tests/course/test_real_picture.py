"""A real picture is used where it is at hand, named in a line, and otherwise told how to get."""

import numpy as np
import pytest
from PIL import Image

from deeplab.course import real_picture as module
from deeplab.course.quick import trained_demo_model
from deeplab.support.errors import DataError
from deeplab.table.rows import get_row
from deeplab.weights.files import save_weights

GREEN = np.full((20, 30, 3), (0, 200, 0), np.uint8)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An empty data folder, which the variable names."""
    monkeypatch.setenv("DEEPLAB_DATA", str(tmp_path))
    return tmp_path


def put(path, pixels=GREEN):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def put_weights(data, row_id):
    """Demo weights under the name of a row's published file, which say whose they are."""
    model = trained_demo_model("voc_r50_d16", steps=340)
    name = get_row(row_id).published_weights
    save_weights(data / "weights" / name, model.state_dict(), row_id=row_id, profile="demo")
    return name


def test_with_nothing_at_hand_one_line_each_says_how_to_get_it(data, capsys):
    assert module.real_picture() is None
    assert capsys.readouterr().out.splitlines() == [module.GET_PHOTO, module.GET_WEIGHTS]
    assert not list(data.iterdir())


def test_the_readers_own_photographs_come_before_those_of_voc(data, capsys):
    put(data / "VOCdevkit/VOC2012/JPEGImages/a.jpg")
    assert module.real_photo().shape == (20, 30, 3)
    (data / "photos").mkdir()
    (data / "photos" / "a_note.txt").write_text("no picture")
    put(data / "photos/mine.PNG", GREEN[:10])
    assert module.real_photo().shape == (10, 30, 3)
    assert capsys.readouterr().out.splitlines() == [
        "A real photograph: a.jpg, 20 x 30 pixels.",
        "A real photograph: mine.PNG, 10 x 30 pixels."]


def test_a_photograph_that_was_named_is_the_one_and_no_picture_is_refused(data, tmp_path):
    put(data / "photos/other.png", GREEN[:10])
    assert module.real_photo(put(tmp_path / "this.png")).shape == (20, 30, 3)
    (tmp_path / "words.jpg").write_text("no picture")
    with pytest.raises(DataError, match="E-IMAGE"):
        module.real_photo(tmp_path / "words.jpg")


def test_the_cheapest_network_at_hand_labels_the_photograph(data, capsys):
    put(data / "photos/mine.png")
    put_weights(data, "voc_r50_d8")
    name = put_weights(data, "voc_r50_d16")
    found = module.real_picture()
    assert found.network.name == name and found.network.config.row.row_id == "voc_r50_d16"
    assert found.prediction.shape == found.image.shape[:2] and found.prediction.max() < 21
    assert not found.network.model.training
    assert f"trained on real photographs: {name}." in capsys.readouterr().out


def test_a_photograph_without_weights_gives_nothing_but_the_lines(data, capsys):
    put(data / "photos/mine.png")
    assert module.real_picture() is None
    assert "mine.png" in capsys.readouterr().out.splitlines()[0]
