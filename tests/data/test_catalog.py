"""The facts of the five label sets against independent tables, and a dataset of one's own."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from dataset_trees import save
from torchvision.datasets import Cityscapes
from torchvision.models.segmentation import DeepLabV3_ResNet50_Weights

from deeplab.data.catalog import DATASETS, SegmentationDataset, get_dataset, load_label_set
from deeplab.data.labelset import NOT_ALLOWED
from deeplab.support.errors import DataError, UsageError
from deeplab.support.void import IGNORE_INDEX

REFERENCE = json.loads((Path(__file__).parents[1] / "reference/data/classes.json").read_text())
OWN = {"title": "Two kinds of leaf", "resize": [300, 300], "ignored": [9],
       "layout": {"folders": ["leaves"], "images": "photos/{split}/{id}.jpg",
                  "labels": "labels/{split}/{id}.png"},
       "classes": [{"raw": 3, "name": "oak", "color": [0, 90, 0]},
                   {"raw": 1, "name": "elm", "color": [200, 255, 0]}]}


def voc_color(index):
    """The PASCAL VOC devkit's rule: the bits of the index, dealt to R, G, B from the top."""
    return tuple(sum((index >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(3))
                 for channel in range(3))


def test_the_five_label_sets_have_the_sizes_of_the_table():
    assert {name: one.num_classes for name, one in DATASETS.items()} == {
        "voc": 21, "ade20k": 150, "cityscapes": 19, "context": 60, "context59": 59}


@pytest.mark.parametrize("name", DATASETS)
def test_names_colours_and_label_map_equal_upstreams(name):
    label_set, reference = DATASETS[name], REFERENCE[name]
    assert list(label_set.classes) == reference["names"]
    assert [list(color) for color in label_set.palette] == reference["palette"]
    for raw, train_id in reference["raw_label_to_train_id"].items():
        assert label_set.lookup[int(raw) % 256] == (IGNORE_INDEX if train_id < 0 else train_id)


def test_voc_colours_follow_the_bit_rule_and_names_equal_torchvisions():
    assert DATASETS["voc"].palette == tuple(voc_color(index) for index in range(21))
    names = DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1.meta["categories"]
    assert list(DATASETS["voc"].classes[1:]) == names[1:]


def test_cityscapes_equals_torchvisions_table_for_every_published_id():
    ours = DATASETS["cityscapes"]
    for theirs in Cityscapes.classes:
        got = ours.lookup[theirs.id % 256]  # the licence plate's -1 is stored as 255
        if theirs.ignore_in_eval:
            assert got == IGNORE_INDEX
        else:
            assert got == theirs.train_id
            assert ours.classes[got] == theirs.name and ours.palette[got] == theirs.color


@pytest.mark.parametrize("name, raw, train_ids", [
    ("voc", [0, 1, 20, 255], [0, 1, 20, 255]),
    ("ade20k", [0, 1, 150], [255, 0, 149]),
    ("cityscapes", [0, 7, 11, 33, 255], [255, 0, 2, 18, 255]),
    ("context", [0, 1, 59, 255], [0, 1, 59, 255]),
    ("context59", [0, 1, 59, 255], [255, 0, 58, 255]),
])
def test_raw_values_map_as_worked_by_hand(name, raw, train_ids):
    assert DATASETS[name].lookup[raw].tolist() == train_ids


@pytest.mark.parametrize("name, refused", [
    ("voc", [*range(21, 255)]), ("ade20k", [*range(151, 256)]),
    ("cityscapes", [*range(34, 255)]), ("context", [*range(60, 255)])])
def test_every_other_value_is_refused(name, refused):
    assert np.flatnonzero(DATASETS[name].lookup == NOT_ALLOWED).tolist() == refused


@pytest.mark.parametrize("name", DATASETS)
def test_train_ids_survive_the_way_to_raw_values_and_back(name):
    label_set = DATASETS[name]
    train_ids = [*range(label_set.num_classes), IGNORE_INDEX]
    assert label_set.lookup[label_set.raw_lookup[train_ids]].tolist() == train_ids


def test_allowed_values_are_told_as_ranges():
    assert DATASETS["voc"].allowed == "0..20 and 255"
    assert DATASETS["ade20k"].allowed == "0..150"


def test_an_item_is_rgb_and_train_ids(make_tree):
    tree = make_tree("cityscapes")
    save(tree.image("bonn/bonn_000001_000019"), np.full((6, 9, 3), (200, 100, 50)))
    samples = SegmentationDataset("cityscapes", tree.data_root, "train")
    image, label = samples[0]
    assert image.dtype == label.dtype == np.uint8
    assert image.shape == (6, 9, 3) and image[0, 0].tolist() == [200, 100, 50]
    assert label[:, 0].tolist() == [255, 255, 0, 0, 18, 18]


def test_a_label_of_another_size_is_refused(make_tree):
    tree = make_tree("voc")
    save(tree.label("b_0002"), np.zeros((6, 8)))
    samples = SegmentationDataset("voc", tree.root, "train")
    with pytest.raises(DataError, match=r"E-SIZE(.|\n)*b_0002.png\n *found: 6 x 8(.|\n)*: 6 x 9"):
        samples[0]


def test_kept_samples_are_decoded_once_and_never_change(make_tree):
    tree = make_tree("voc")
    plain, kept = (SegmentationDataset("voc", tree.root, "train", keep=keep)
                   for keep in (False, True))
    first = plain[0]
    image, label = kept[0]
    for sample in plain.samples:
        (tree.root / sample.image).unlink()
    label[:] = 7
    with pytest.raises(ValueError, match="read-only"):
        image[0] = 0
    assert all((a == b).all() for a, b in zip(kept[0], first, strict=True))
    with pytest.raises(DataError, match="E-IMAGE"):
        plain[0]
    with pytest.raises(DataError, match="E-IMAGE"):
        kept[1]


def test_a_dataset_and_its_items_survive_pickling(make_tree):
    samples = SegmentationDataset("voc", make_tree("voc").root, "train")
    copy = pickle.loads(pickle.dumps(samples))
    assert copy.ids == samples.ids
    assert all((a == b).all() for a, b in zip(copy[1], samples[1], strict=True))


def test_a_mistyped_name_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="E-DATASET there is no dataset 'cityscape'.*\n"
                                         ".*\n.*did you mean 'cityscapes'"):
        get_dataset("cityscape")


def test_a_dataset_of_ones_own_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "leaf.json").write_text(json.dumps(OWN))
    monkeypatch.setenv("DEEPLAB_DATASETS", str(tmp_path))
    save(tmp_path / "leaves/photos/train/x.jpg", np.zeros((2, 3, 3)))
    save(tmp_path / "leaves/labels/train/x.png", [[3, 1, 9], [1, 1, 3]])
    samples = SegmentationDataset("leaf", tmp_path, "train")
    assert samples.label_set.classes == ("oak", "elm") and samples.ids == ["x"]
    assert samples[0][1].tolist() == [[0, 1, 255], [1, 1, 0]]


def test_a_wrong_entry_is_refused_with_its_file_and_key(tmp_path):
    path = tmp_path / "leaf.json"
    path.write_text(json.dumps(OWN | {"ignored": 255}))
    with pytest.raises(UsageError, match="ignored is 255") as caught:
        load_label_set(path)
    assert caught.value.code == "E-DATASET" and f"file: {path}" in str(caught.value)


def test_an_own_dataset_cannot_take_a_name_of_the_table(tmp_path, monkeypatch):
    (tmp_path / "voc.json").write_text(json.dumps(OWN))
    monkeypatch.setenv("DEEPLAB_DATASETS", str(tmp_path))
    with pytest.raises(UsageError, match="E-DATASET the name 'voc' is taken"):
        get_dataset("leaf")


def test_the_catalogue_can_be_asked_without_loading_torch():
    code = "import sys, deeplab.data.catalog; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "False\n"
