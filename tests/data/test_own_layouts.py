"""Layouts that people have, and what of a folder is used, left out or refused."""

import time
import unicodedata

import numpy as np
import pytest
from dataset_trees import save

from deeplab.data.catalog import SegmentationDataset
from deeplab.data.labelset import parse_label_set
from deeplab.prepare.suspect import labelled_splits
from deeplab.prepare.verify import verify
from deeplab.support.errors import DataError

CLASSES = [{"raw": 0, "name": "ground", "color": [90, 60, 30]},
           {"raw": 1, "name": "oak", "color": [0, 90, 0]}]


def label_set(images="photos/{split}/{id}.jpg", labels="labels/{split}/{id}.png", **more):
    return parse_label_set("leaf", {
        "title": "Leaves", "resize": [240, 240], "ignored": [255], "classes": CLASSES,
        "layout": {"folders": ["leaves"], "images": images, "labels": labels} | more}, "leaf.json")


def pair(root, image, label):
    if image:
        save(root / image, np.full((4, 6, 3), 90))
    if label:
        save(root / label, np.zeros((4, 6)))


@pytest.mark.parametrize("images, labels", [
    ("{split}/photos/{id}.jpg", "{split}/masks/{id}.png"),  # Kaggle, Roboflow
    ("{split}/{id}.jpg", "{split}/{id}_mask.png"), ("{split}/{id}.png", "{split}/{id}_mask.png"),
    ("{split}/{id}.png", "{split}/{id}_L.png"),  # CamVid
    ("{split}/img/{id}.jpg", "{split}/masks_machine/{id}.png"),  # Supervisely
    ("{split}/{id}/image.png", "{split}/{id}/label.png"),
    ("photos/{split}/img_{id}.jpg", "labels/{split}/seg_{id}.png")])
def test_a_layout_that_people_have_is_read(tmp_path, images, labels):
    facts = label_set(images, labels)
    for split, ids in (("train", ("b", "a")), ("val", ("c",))):
        for id in ids:
            pair(tmp_path / "leaves", *(facts.layout.fill(pattern, split=split, id=id)
                                        for pattern in (images, labels)))
    for place in (tmp_path, tmp_path / "leaves"):
        samples = SegmentationDataset(facts, place, "train")
        assert samples.ids == ["a", "b"] and samples.left_out == {}
        assert samples[0][1].shape == (4, 6)
    assert facts.layout.splits(tmp_path / "leaves") == ["train", "val"]


def test_lists_beside_images_and_masks_in_one_folder(tmp_path):
    facts = label_set("{id}.jpg", "{id}.png", lists="{split}.txt")
    for id in ("a", "b", "c"):
        pair(tmp_path, f"{id}.jpg", f"{id}.png")
    (tmp_path / "train.txt").write_text("a.jpg a.png\nc.jpg c.png\n")
    assert SegmentationDataset(facts, tmp_path, "train").ids == ["a", "c"]
    with pytest.raises(DataError, match="E-LAYOUT there is no split 'val'"):
        SegmentationDataset(facts, tmp_path, "val")


def test_endings_of_cameras_and_letters_of_macos_agree(tmp_path):
    accents = [unicodedata.normalize(form, "gehölz") for form in ("NFC", "NFD")]
    for image, label in (("1.JPG", "1.png"), ("2.jpeg", "2.PNG"), ("3.Jpg", "3.png"),
                         (f"{accents[0]}.jpg", f"{accents[1]}.png")):
        save(tmp_path / "photos/train" / "x.jpg", np.full((4, 6, 3), 9)).rename(
            tmp_path / "photos/train" / image)
        save(tmp_path / "labels/train" / "x.png", np.zeros((4, 6))).rename(
            (tmp_path / "labels/train").resolve() / label)
    samples = SegmentationDataset(label_set(), tmp_path, "train")
    assert samples.ids == ["1", "2", "3", accents[0]] and len([*samples]) == 4
    assert samples.image_path(1).name == "2.jpeg" and samples.label_path(1).name == "2.PNG"


def test_two_files_of_one_id_are_refused(tmp_path):
    pair(tmp_path, "photos/train/a.jpg", "labels/train/a.png")
    pair(tmp_path, "photos/train/a.jpeg", None)
    with pytest.raises(DataError, match="E-PAIR two files have one id(?s:.*)a.jpe?g and photos"):
        SegmentationDataset(label_set(), tmp_path, "train")


def test_every_file_that_is_no_sample_is_told_with_its_reason(tmp_path, monkeypatch):
    for split, id in (("train", "a"), ("val", "b")):
        pair(tmp_path, f"photos/{split}/{id}.jpg", f"labels/{split}/{id}.png")
    pair(tmp_path, "photos/train/.ipynb_checkpoints/a.jpg", "labels/train/widow.png")
    pair(tmp_path, "photos/test/t.jpg", None)
    (tmp_path / "photos/train/notes.txt").touch()
    samples = SegmentationDataset(label_set(), tmp_path, "train")
    assert samples.left_out == {"hidden": ["photos/train/.ipynb_checkpoints/"],
                                "not named {id}.jpg": ["photos/train/notes.txt"],
                                "labels without an image": ["labels/train/widow.png"]}
    monkeypatch.setattr("deeplab.prepare.verify.get_dataset", lambda name: label_set())
    save(tmp_path / "photos/val/b.jpg", np.full((4, 6, 3), 70))
    report = str(verify("leaf", tmp_path))
    assert "left out: split test: no image in it has a label" in report
    assert "left out: split train: 1 not named {id}.jpg: photos/train/notes.txt" in report
    assert "1 problems" in report and "labels/train/widow.png" in report


def test_a_training_split_without_labels_is_no_extra(tmp_path):
    pair(tmp_path, "photos/train/a.jpg", None)
    pair(tmp_path, "photos/val/b.jpg", "labels/val/b.png")
    assert labelled_splits(label_set().layout, tmp_path) == (["train", "val"], [])
    with pytest.raises(DataError, match="E-PAIR 1 of 1 labels are missing"):
        SegmentationDataset(label_set(), tmp_path, "train")


def test_opening_twenty_thousand_files_takes_little_longer_than_listing_them(tmp_path):
    for folder, ending in (("photos/train", "jpg"), ("labels/train", "png")):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(10_000):
            (tmp_path / folder / f"image_{number:05}.{ending}").touch()
    start = time.perf_counter()
    assert len(SegmentationDataset(label_set(), tmp_path, "train", use_pack=False)) == 10_000
    assert time.perf_counter() - start < 2
