"""The gallery shows the same images for all rows, the one on which they differ most first."""

import base64
import io
import re

import numpy as np
import pytest
from dataset_trees import save
from PIL import Image

from deeplab.data.catalog import get_dataset
from deeplab.data.colours import label_colours
from deeplab.figures.gallery import gallery, read_pictures


@pytest.fixture
def entries(tmp_path):
    """Two rows of VOC with pictures 0 to 2; on picture 1 the second row gets half wrong."""
    found = []
    for number, row_id in enumerate(("voc_r50_d8", "voc_r50_d16")):
        folder = tmp_path / row_id
        for picture in range(3):
            label = np.full((6, 8), picture, np.uint8)
            label[0] = 255
            prediction = np.full((6, 8), picture, np.uint8)
            prediction[:, 4:] += number * (picture == 1)
            save(folder / f"pictures/{picture}-image.jpg", np.full((6, 8, 3), 40 * picture))
            save(folder / f"pictures/{picture}-label.png", label)
            save(folder / f"pictures/{picture}-prediction.png", prediction)
        found.append({"row_id": row_id, "dataset": "voc", "folder": folder})
    return found


def pictures_in(text):
    """(alternative text, pixels) of every picture of a page."""
    return [(alt, np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))))
            for data, alt in re.findall(r'base64,([^"]+)" alt="([^"]*)"', text)]


def test_the_image_on_which_the_rows_differ_most_comes_first(entries):
    text = gallery(entries)
    assert text.index("those kept: 50 points") < text.index("Another image: 0 points")
    shown = pictures_in(text)
    assert [alt for alt, _ in shown[:6]] == [
        "the image", "the truth", "prediction of voc_r50_d8: 100 % of the pixels right",
        "errors of voc_r50_d8, in orange", "prediction of voc_r50_d16: 50 % of the pixels right",
        "errors of voc_r50_d16, in orange"]
    label = np.full((6, 8), 1, np.uint8)
    label[0] = 255
    assert np.array_equal(shown[1][1], label_colours(label, get_dataset("voc")))
    assert (shown[5][1][1:, 4:] == (213, 94, 0)).all() and (shown[5][1][1:, :4] != 213).all()


def test_what_is_missing_or_no_picture_is_left_out(entries):
    (entries[0]["folder"] / "pictures/1-prediction.png").write_bytes(b"%!PS")
    save(entries[1]["folder"] / "pictures/2-prediction.png", np.zeros((5, 5)))
    found = [*read_pictures({entry["row_id"]: entry["folder"] for entry in entries})]
    assert [list(picture.predictions) for picture in found] == [
        ["voc_r50_d8", "voc_r50_d16"], ["voc_r50_d16"], ["voc_r50_d8"]]
    assert gallery([{"row_id": "a", "dataset": "voc", "folder": entries[0]["folder"] / "x"}]) == ""


def test_there_is_no_script_and_a_strip_can_be_reached_by_keyboard(entries):
    text = gallery(entries)
    assert "<script" not in text and text.count('tabindex="0"') == 3
