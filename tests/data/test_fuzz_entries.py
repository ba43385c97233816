"""Whatever stands in an entry, a split list or a label file: samples, or an error of ours."""

import copy
import json

import numpy as np
import pytest
from dataset_trees import save
from hypothesis import strategies as st
from mutate import COUNT
from properties import JSON, TEXT, hold

from deeplab.data.catalog import SegmentationDataset, load_label_set
from deeplab.support.errors import DeeplabError

EXAMPLES = min(max(400, COUNT), 5000)  # each is a small dataset that is read from a disk
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


@st.composite
def entries(draw):
    """The entry with one to three values replaced, removed, doubled or under another key."""
    entry = copy.deepcopy(ENTRY)
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from([path for path in places(entry) if path]))
        parent = entry
        for step in above:
            parent = parent[step]
        kind = draw(st.sampled_from(["replace", "remove", "double or rename"]))
        if kind == "remove":
            del parent[key]
        elif kind == "replace":
            parent[key] = copy.deepcopy(draw(st.sampled_from(ODD) | JSON))
        elif isinstance(parent, dict):
            parent[str(key)[:-1] + "z"] = parent.pop(key)
        else:
            parent.append(copy.deepcopy(parent[key]))
        if not any(places(entry)):
            break
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


def test_mutated_entries_give_samples_or_an_error_of_ours(data_root):
    def check(entry):
        path = data_root.parent / "leaf.json"
        path.write_text(json.dumps(entry))
        try:
            read_all(path, data_root)
        except DeeplabError as error:
            assert error.code.startswith("E-")

    hold(check, EXAMPLES, entries())


def test_the_entry_as_it_is_gives_samples(data_root):
    path = data_root.parent / "leaf.json"
    path.write_text(json.dumps(ENTRY))
    read_all(path, data_root)


LINES = ["a", "b", "a.jpg", "photos/training/a.jpg labels/training/a.png", "", " ", "\t", "#", "..",
         "../up/secret", "/etc/passwd", "a b c", "é", "e\u0301", "\ufeff", "a\0", "A", "x" * 5000]


def test_mutated_lists_give_samples_or_an_error_of_ours(data_root):
    def check(lines, end, encoding):
        path, listed = data_root.parent / "leaf.json", data_root / "leaves/lists/train.txt"
        path.write_text(json.dumps(ENTRY))
        listed.parent.mkdir(exist_ok=True)
        listed.write_bytes(end.join(lines).encode(encoding))
        try:
            read_all(path, data_root)
        except DeeplabError as error:
            assert error.code in ("E-LIST", "E-PAIR", "E-LAYOUT")

    hold(check, EXAMPLES, st.lists(st.sampled_from(LINES) | TEXT, max_size=4),
         st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))


def test_mutated_labels_give_train_ids_or_an_error_of_ours(data_root):
    def check(shape, values, indexed, seed):
        path = data_root.parent / "leaf.json"
        path.write_text(json.dumps(ENTRY))
        samples = SegmentationDataset(load_label_set(path), data_root, "train")
        pixels = np.random.default_rng(seed).choice(values, shape)
        save(samples.label_path(0), pixels, mode="P" if indexed and len(shape) == 2 else None)
        try:
            label = samples[0][1]
        except DeeplabError as error:
            assert error.code in ("E-LABEL", "E-SIZE")
        else:
            assert np.array_equal(label, pixels)

    hold(check, EXAMPLES, st.sampled_from([(6, 9), (6, 9), (6, 8), (1, 1), (6, 9, 3)]),
         st.lists(st.integers(0, 255), min_size=1, max_size=4, unique=True), st.booleans(),
         st.integers(0, 2**32 - 1))
