"""A stranger's folder of photographs and labels becomes a dataset, and what it holds is told."""

import json
import time

import numpy as np
import pytest
from click.testing import CliRunner
from dataset_trees import save
from PIL import Image

from deeplab.cli.main import main
from deeplab.data.catalog import SegmentationDataset, get_dataset
from deeplab.prepare import look
from deeplab.prepare.add import voc_colour
from deeplab.prepare.class_file import read_classes, with_values
from deeplab.support.errors import DataError

COLOURS = np.array([[90, 60, 30], [0, 90, 0], [200, 255, 0]])


@pytest.fixture
def make(tmp_path, monkeypatch):
    """`make(images, labels, count)`: pairs under two patterns with {}; returns the folder."""
    monkeypatch.setenv("DEEPLAB_DATASETS", str(tmp_path / "sets"))
    rng = np.random.default_rng(0)

    def pairs(images, labels, count, *, values=(0, 1, 2), in_colour=False, palette=None):
        for number in range(count):
            index = rng.integers(0, len(values), (6, 8)).repeat(8, 0).repeat(8, 1)
            photo = COLOURS[index] + rng.integers(0, 50, (*index.shape, 3))
            save(tmp_path / "plants" / images.format(number), photo)
            raw = Image.fromarray(np.array(values, np.uint8)[index])
            if palette:
                raw.putpalette([value for colour in palette for value in colour])
            path = tmp_path / "plants" / labels.format(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            if in_colour:
                save(path, COLOURS[index])
            else:
                raw.save(path)
        return tmp_path / "plants"
    return pairs


def invoke(*words, code=0):
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.parametrize("images, labels", [
    ("{}/photos/p{{}}.jpg", "{}/masks/p{{}}.png"), ("photos/{}/p{{}}.JPG", "labels/{}/p{{}}.png"),
    ("{}/p{{}}.jpg", "{}/p{{}}_mask.png"), ("{}/img/p{{}}.png", "{}/ann/p{{}}_L.png"),
    ("x/{}/p{{}}.jpg", "x/{}_labels/p{{}}.png"), ("{}/p{{}}.jpg", "{}/seg_p{{}}.png"),
    ("{}_images/p{{}}.jpg", "{}_masks/p{{}}.png"), ("img-{}/p{{}}.jpg", "lab-{}/p{{}}.png"),
    ("{}/p{{}}/image.jpg", "{}/p{{}}/mask.png"), ("{}/p{{}}.png", "{}annot/p{{}}.png"),
    ("img/{}/ulm/p{{}}.jpg", "lab/{}/ulm/p{{}}_gt_ids.png"), ("{}/p{{}}.jpg", "all/p{{}}.png"),
    ("{}/image{{}}.jpg", "{}/label{{}}.png"), ("{}/p{{}}.jpg", "maps/{}/p{{}}mask.png")])
def test_a_layout_with_splits_is_found_and_read(make, tmp_path, images, labels):
    for split, count in (("train", 9), ("valid", 3)):
        folder = make(images.format(split), labels.format(split), count)
    said = invoke("data", "add", "plants", folder)
    assert "train: 9 images" in said and "val: 3 images" in said and "val: valid" in said
    label_set = get_dataset("plants")
    assert label_set.num_classes == 3 and label_set.ignored == (255,)
    assert len([*SegmentationDataset(label_set, tmp_path, "train")]) == 9
    assert "0 problems" in invoke("data", "verify", "plants", "--data-root", tmp_path)
    with Image.open(tmp_path / "sets/plants.png") as sheet:
        assert sheet.width == 4 * 320


@pytest.mark.parametrize("images, labels", [
    ("p{}/image.jpg", "p{}/mask.png"), ("p{}_json/img.png", "p{}_json/label.png"),
    ("img_{}.jpg", "mask_{}.png"), ("p{}.jpg", "p{}_mask.png"), ("a/p{}.jpg", "b/p{}-1.png"),
    ("ds/img/p{}.jpg", "ds/masks_machine/p{}.png"), ("p{}.JPEG", "labels/p{}.jpg.png")])
def test_a_layout_without_splits_is_found_and_read(make, tmp_path, images, labels):
    said = invoke("data", "add", "plants", make(images, labels, 10))
    assert "train: 8 images" in said and "val: 2 images" in said and "left out" not in said
    assert "0 problems" in invoke("data", "verify", "plants", "--data-root", tmp_path)


def test_many_files_in_few_folders_are_soon_looked_at():
    by_pattern = {}
    for number in range(600):
        for file in (f"im/train/ulm/ulm_{number}_im.png", f"gt/train/ulm/ulm_{number}_gt.png"):
            for pattern, named in look._patterns(file):
                by_pattern.setdefault(pattern, []).append(named)
    begin = time.process_time()
    best = look._pairs(by_pattern)[0]
    assert [*map(str, best)] == ["im/{split}/ulm/{id}_im.png", "gt/{split}/ulm/{id}_gt.png"]
    assert time.process_time() - begin < 5


def test_photographs_of_several_folders_are_one_dataset(make, tmp_path):
    make("img/ulm/p{}.jpg", "lab/ulm/p{}.png", 4)
    said = invoke("data", "add", "plants", make("img/bonn/p{}.jpg", "lab/bonn/p{}.png", 6))
    assert "photographs: img/{id}.jpg" in said and "train: 8 images" in said
    assert "bonn/p0" in (tmp_path / "plants/splits/train.txt").read_text() + (
        tmp_path / "plants/splits/val.txt").read_text()


def test_what_is_no_part_of_the_layout_is_told(make):
    make("img/p{}.jpg", "lab/p{}.png", 10)
    make("previews/v{}x.jpg", "colour/p{}.png", 3, in_colour=True)
    (folder := make("img/q{}.jpg", "lab/p{}.png", 1))
    said = invoke("data", "add", "plants", folder)
    assert "left out: 3 photos in previews" in said and "left out: 3 masks in colour" in said
    assert "left out: 1 photographs without a label" in said


def test_without_splits_every_fifth_image_is_for_validation(make, tmp_path):
    folder = make("img/p{}.JPG", "lab/p{}.png", 20)
    said = invoke("data", "add", "plants", folder)
    assert "train: 16 images" in said and "val: 4 images" in said
    lists = [set((folder / f"splits/{split}.txt").read_text().split()) for split in
             ("train", "val")]
    assert not lists[0] & lists[1] and len(lists[0] | lists[1]) == 20
    first = (folder / "splits/val.txt").read_text()
    (tmp_path / "sets/plants.json").unlink()
    invoke("data", "add", "plants", folder)
    assert (folder / "splits/val.txt").read_text() == first


def test_lists_that_are_there_are_obeyed(make, tmp_path):
    folder = make("p{}.jpg", "p{}.png", 10)
    (folder / "train.txt").write_text("".join(f"p{n}.jpg p{n}.png\n" for n in range(8)))
    (folder / "val.txt").write_text("p8.jpg p8.png\np9.jpg p9.png\n")
    assert "lists {split}.txt" in invoke("data", "add", "plants", folder)
    assert SegmentationDataset("plants", tmp_path, "val").ids == ["p8", "p9"]
    assert not (folder / "splits").exists()


def test_values_names_and_colours_come_from_where_they_stand(make, tmp_path):
    folder = make("img/p{}.jpg", "lab/p{}.png", 10, values=(0, 7, 255), palette=[
        (n, 2 * n % 256, 9) for n in range(256)])
    said = invoke("data", "add", "palette", folder)
    assert [*get_dataset("palette").palette] == [(0, 0, 9), (7, 14, 9)]
    assert "255  (ignored)" in said and "  7  class 7" in said
    (folder / "classes.txt").write_text("value,name,r,g,b\n0,ground,1,2,3\n7,oak,4,5,6\n")
    said = invoke("data", "add", "named", folder)
    assert get_dataset("named").classes == ("ground", "oak") and "classes.txt" in said
    assert get_dataset("named").palette == ((1, 2, 3), (4, 5, 6))


def test_black_and_white_masks_are_two_classes(make):
    invoke("data", "add", "plants", make("img/p{}.jpg", "lab/p{}.png", 10, values=(0, 255)))
    assert get_dataset("plants").raw_values == (0, 255) and get_dataset("plants").ignored == ()


def test_what_cannot_be_understood_is_refused_and_nothing_is_written(make, tmp_path):
    folder = make("img/p{}.jpg", "masks/p{}.png", 6, in_colour=True)
    said = invoke("data", "add", "plants", folder, code=3)
    assert "E-LOOK" in said and "6 masks in masks" in said and "data convert" in said
    assert not (tmp_path / "sets").exists()
    (tmp_path / "empty").mkdir()
    assert "E-LOOK" in invoke("data", "add", "plants", tmp_path / "empty", code=3)
    assert "is taken" in invoke("data", "add", "voc", folder, code=2)


def test_colour_masks_become_index_images_and_then_a_dataset(make, tmp_path):
    folder = make("701/x{}.png", "Labeled/x{}_L.png", 10, in_colour=True)
    (folder / "label_colors.txt").write_text(
        "0 0 0\t\tVoid\n90 60 30\tGround\n0 90 0\tOak\n200 255 0\tElm Tree\n")
    words = "data", "convert", folder / "Labeled", folder / "index", "--colours"
    assert "10 masks" in invoke(*words, folder / "label_colors.txt")
    for number in range(10):
        with (Image.open(folder / f"Labeled/x{number}_L.png") as colour,
              Image.open(folder / f"index/x{number}_L.png") as index):
            assert (COLOURS[np.asarray(index)] == np.asarray(colour)).all()
    assert "20 images" not in invoke("data", "add", "plants", folder)
    label_set = get_dataset("plants")
    assert label_set.classes == ("Ground", "Oak", "Elm Tree") and label_set.raw_values == (0, 1, 2)
    assert label_set.palette == tuple(map(tuple, COLOURS.tolist()))
    assert "E-TARGET" in invoke(*words, folder / "label_colors.txt", code=2)


def test_colours_that_are_not_in_the_table_are_counted_and_nothing_is_written(make, tmp_path):
    folder = make("701/x{}.png", "Labeled/x{}.png", 3, in_colour=True)
    save(folder / "Labeled/x1.png", np.full((5, 5, 3), (1, 2, 3)))
    (folder / "table.json").write_text(json.dumps(
        {"ground": [90, 60, 30], "oak": "#005a00", "elm": [200, 255, 0]}))
    words = ("data", "convert", folder / "Labeled", tmp_path / "index", "--colours")
    said = invoke(*words, folder / "table.json", code=3)
    assert "E-COLOUR" in said and "(1, 2, 3) 25 pixels, first in x1.png" in said
    assert not (tmp_path / "index").exists()
    (folder / "table.json").write_text('{"ground": 3}')
    assert "E-CLASSES classes without a colour" in invoke(*words, folder / "table.json", code=3)


@pytest.mark.parametrize("name, text, lines", [
    ("a.txt", "ground\noak tree\n", [("ground", 0, None), ("oak tree", 1, None)]),
    ("labels.txt", "__ignore__\n_background_\noak\n",
     [("__ignore__", 255, None), ("_background_", 0, None), ("oak", 1, None)]),
    ("_classes.csv", "Pixel Value, Class\n0, ground\n1, oak\n", [("ground", 0, None),
                                                                 ("oak", 1, None)]),
    ("class_dict.csv", "name,r,g,b\nground,1,2,3\noak,4,5,6\n", [("ground", 0, (1, 2, 3)),
                                                                ("oak", 1, (4, 5, 6))]),
    ("labelmap.txt", "# label:color_rgb:parts:actions\nbackground:0,0,0::\noak:9,8,7::\n",
     [("background", 0, (0, 0, 0)), ("oak", 1, (9, 8, 7))]),
    ("label_colors.txt", "64 128 64\tAnimal\n0 0 0\tVoid\n1 2 3\tRoad Shoulder\n",
     [("Animal", 0, (64, 128, 64)), ("Void", 255, (0, 0, 0)), ("Road Shoulder", 1, (1, 2, 3))]),
    ("o.json", '{"ground": [1, 2, 3], "oak": 5}', [("ground", 0, (1, 2, 3)), ("oak", 5, None)]),
    ("l.json", '["ground", "oak"]', [("ground", 0, None), ("oak", 1, None)]),
    ("d.json", '[{"id": 4, "name": "oak", "color": [1, 2, 3]}]', [("oak", 4, (1, 2, 3))])])
def test_a_class_file_of_any_usual_form_is_read(tmp_path, name, text, lines):
    (tmp_path / name).write_text(text)
    assert [tuple(line) for line in with_values(read_classes(tmp_path / name))] == lines


@pytest.mark.parametrize("name, text", [
    ("a.txt", ""), ("a.txt", "oak\noak\n"), ("a.csv", "oak,1,2,300\n"), ("a.json", "{"),
    ("a.json", '{"oak": "red"}'), ("a.json", '[{"id": 1}]'), ("a.json", "3"),
    ("a.csv", "0,oak\n0,elm\n")])
def test_a_class_file_that_is_none_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match="E-CLASSES"):
        read_classes(tmp_path / name)


def test_colours_are_vocs_where_nothing_tells_them():
    assert [voc_colour(index) for index in (0, 1, 2, 3, 8, 20)] == [
        (0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (64, 0, 0), (0, 64, 128)]


def test_no_list_is_written_through_a_link_or_holds_a_name_that_is_no_line(make, tmp_path):
    folder = make("photos/p{}.jpg", "labels/p{}.png", 6)
    (tmp_path / "elsewhere").mkdir()
    (folder / "splits").symlink_to(tmp_path / "elsewhere")
    assert "E-LINK" in invoke("data", "add", "plant", folder, code=5)
    assert not any((tmp_path / "elsewhere").iterdir())
    (folder / "splits").unlink()
    for name in ("photos/p0.jpg", "labels/p0.png"):
        (folder / name).rename(folder / name.replace("p0", "p\n0"))
    assert "E-LOOK names that cannot stand in a list" in invoke("data", "add", "plant", folder,
                                                                code=3)


def test_a_class_file_that_a_link_leads_to_is_not_read(make, tmp_path):
    folder = make("photos/p{}.jpg", "labels/p{}.png", 6)
    secret = tmp_path / "secret.txt"
    secret.write_text("one secret:x:0\nother secret:y:1\nthird secret:z:2\n")
    (folder / "classes.txt").symlink_to(secret)
    assert "secret" not in invoke("data", "add", "plant", folder)
    assert "secret" not in (tmp_path / "sets/plant.json").read_text()
