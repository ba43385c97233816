"""Whatever stands in an entry, a split list or a label file: samples, or an error of ours."""

import copy
import json
import random

import numpy as np
import pytest
from dataset_trees import save
from mutate import COUNT

from deeplab.data.catalog import SegmentationDataset, load_label_set
from deeplab.support.errors import DeeplabError

ODD = [None, True, False, -1, 0, 1, 254, 255, 256, 10**30, 0.5, float("nan"), "", "x", "..", "/",
       "../../up", "/etc/passwd", "{split}", "{id}", "{}", "{id", "**", "a\0b", "\ud800", "é", [],
       {}, [[]], [None], [0, 1, 2], ["a", "a"], {"id": 1}, {"train": "../up"}]
ENTRY = {"title": "Leaves", "resize": [64, 32], "ignored": [255],
         "split_sizes": {"train": 2, "val": 1},
         "layout": {"folders": ["leaves"], "images": "photos/{split}/{id}.jpg",
                    "labels": "labels/{split}/{id}.png", "lists": "lists/{split}.txt",
                    "split_folders": {"train": "training"}},
         "classes": [{"raw": index, "name": f"c{index}", "color": [index, 2 * index, 9]}
                     for index in range(3)]}


def places(value, path=()):
    """The path of every value in a tree of JSON."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(
        value if isinstance(value, list) else ())
    for key, item in items:
        yield from places(item, (*path, key))


def changed(entry, rng):
    """The entry with one to three values replaced, removed, doubled or under another key."""
    entry = copy.deepcopy(entry)
    for _ in range(rng.choice((1, 1, 2, 3))):
        *above, key = rng.choice([path for path in places(entry) if path])
        parent = entry
        for step in above:
            parent = parent[step]
        kind = rng.randrange(4)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[str(key)[:-1] + "z"] = parent.pop(key)
        elif kind == 1:
            parent.append(copy.deepcopy(parent[key]))
        else:
            parent[key] = copy.deepcopy(rng.choice(ODD))
    return entry


@pytest.fixture
def data_root(tmp_path):
    for split, ids in (("training", "ab"), ("val", "c")):
        for number, id in enumerate(ids):
            save(tmp_path / f"data/leaves/photos/{split}/{id}.jpg", np.full((6, 9, 3), 60 * number))
            save(tmp_path / f"data/leaves/labels/{split}/{id}.png", np.full((6, 9), number))
    save(tmp_path / "data/up/secret.jpg", np.zeros((6, 9, 3)))
    return tmp_path / "data"


def read_all(path, data_root):
    label_set = load_label_set(path)
    for split in ("train", "val"):
        samples = SegmentationDataset(label_set, data_root, split)
        for index in range(len(samples)):
            assert samples.image_path(index).resolve().is_relative_to(data_root / "leaves")
            assert samples[index][1].shape == (6, 9)


def test_mutated_entries_give_samples_or_an_error_of_ours(tmp_path, data_root):
    path, rng, errors = tmp_path / "leaf.json", random.Random(0), 0
    path.write_text(json.dumps(ENTRY))
    read_all(path, data_root)
    for _ in range(5 * COUNT):
        path.write_text(json.dumps(changed(ENTRY, rng)))
        try:
            read_all(path, data_root)
        except DeeplabError as error:
            errors += 1
            assert error.code.startswith("E-")
    assert errors > COUNT


LINES = ["a", "b", "a.jpg", "photos/training/a.jpg labels/training/a.png", "", " ", "\t", "#", "..",
         "../up/secret", "/etc/passwd", "a b c", "é", "e\u0301", "\ufeff", "a\0", "A", "x" * 5000]


def test_mutated_lists_give_samples_or_an_error_of_ours(tmp_path, data_root):
    path, rng = tmp_path / "leaf.json", random.Random(0)
    path.write_text(json.dumps(ENTRY))
    listed = data_root / "leaves/lists/train.txt"
    listed.parent.mkdir()
    for _ in range(3 * COUNT):
        end = rng.choice(("\n", "\r\n", "\r"))
        content = end.join(rng.choices(LINES, k=rng.randrange(5)))
        listed.write_bytes(content.encode(rng.choice(("utf-8", "utf-16", "utf-8-sig"))))
        try:
            read_all(path, data_root)
        except DeeplabError as error:
            assert error.code in ("E-LIST", "E-PAIR", "E-LAYOUT")


def test_mutated_labels_give_train_ids_or_an_error_of_ours(tmp_path, data_root):
    path, rng = tmp_path / "leaf.json", np.random.default_rng(0)
    path.write_text(json.dumps(ENTRY))
    samples = SegmentationDataset(load_label_set(path), data_root, "train")
    for number in range(3 * COUNT):
        shape = [(6, 9), (6, 9), (6, 8), (1, 1), (6, 9, 3)][number % 5]
        values = rng.choice([0, 1, 2, 255, 3, 128][:4 + number % 3], shape)
        save(samples.label_path(0), values, mode="P" if number % 2 and len(shape) == 2 else None)
        try:
            label = samples[0][1]
        except DeeplabError as error:
            assert error.code in ("E-LABEL", "E-SIZE")
        else:
            assert np.array_equal(label, values)
