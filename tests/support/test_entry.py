"""Each slip in a dataset's entry is named with its key and with what is expected there."""

import contextlib
import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import JSON, examples

from deeplab.data.labelset import parse_label_set
from deeplab.support.entry import check_entry
from deeplab.support.errors import UsageError

ENTRY = {"title": "Leaves", "resize": [300, 200], "ignored": [9], "split_sizes": {"train": 8},
         "layout": {"folders": ["leaves"], "images": "photos/{split}/{id}.jpg",
                    "labels": "labels/{split}/{id}.png", "lists": "lists/{split}.txt",
                    "split_folders": {"val": "valid"},
                    "extra_labels": {"val": "more/{id}.png"}},
         "classes": [{"raw": 3, "name": "oak", "color": [0, 90, 0]},
                     {"raw": 1, "name": "elm", "color": [200, 255, 0]}]}
SLIPS = [None, True, -1, 0, 1.5, 256, 10**30, "", "x", "\0", "../x", "/x", "C:/x", [], [255],
         [0, 0],
         {}, {"train": 0}, {"x": None}, [[]], float("nan"), "{id}", "{id}{id}.png", "é/{id}.jpg"]


def changed(path, value, entry=ENTRY):
    """A copy of `entry` with another value at `path`, a sequence of keys."""
    entry = copy.deepcopy(entry)
    place = entry
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return entry


@pytest.mark.parametrize("path, value, text", [
    (("ignored",), 255, "ignored is 255, expected a list"),
    (("ignored",), [9, 9], "expected each value once"),
    (("ignored",), [1], "no value that is a class too"),
    (("resize",), 512, r"resize is 512, expected \[long, short\]"),
    (("resize",), [200, 300], r"expected \[long, short\]"),
    (("resize",), ["300", "200"], r"expected \[long, short\]"),
    (("split_sizes",), [8, 2], "split_sizes is .8, 2., expected an object"),
    (("split_sizes", "val"), "two", "split_sizes.val is 'two'"),
    (("title",), None, "title is None"),
    (("classes",), "oak elm", "classes is 'oak elm', expected a list"),
    (("classes",), ENTRY["classes"][:1], "a list of 1', expected a list of 2..253"),
    (("classes", 1), "elm", r"classes\[1\] is 'elm', expected an object"),
    (("classes", 1, "color"), None, r"classes\[1\].color is None, expected \[red, green, blue\]"),
    (("classes", 1, "color"), [0, 0], r"classes\[1\].color is \[0, 0\]"),
    (("classes", 1, "color"), "#00ff00", r"classes\[1\].color is '#00ff00'"),
    (("classes", 1, "raw"), 300, r"classes\[1\].raw is 300, expected a whole number 0..255"),
    (("classes", 1, "raw"), True, r"classes\[1\].raw is True"),
    (("classes", 1, "raw"), 3, r"classes\[1\].raw is 3, expected another than that of classes\[0"),
    (("classes", 1, "name"), "oak", r"classes\[1\].name is 'oak', expected another"),
    (("classes", 1, "colour"), [0, 0, 0], r"unknown key classes\[1\].colour, did you mean 'color'"),
    (("clases",), [], "unknown key clases, did you mean 'classes'"),
    (("layout", "folders"), "leaves", "layout.folders is 'leaves', expected a list"),
    (("layout", "folders"), ["../leaves"], "layout.folders is"),
    (("layout", "images"), "photos/{split}/all.jpg", "layout.images is .*{id} in it, once"),
    (("layout", "images"), "/photos/{split}/{id}.jpg", "layout.images is .*a relative path"),
    (("layout", "images"), "photos/{split}/{name}/{id}.jpg", "no places but .* not {name}"),
    (("layout", "images"), "photos/{split}/{id}.tif", "ends in .jpg or .jpeg or .png"),
    (("layout", "labels"), "labels/{split}/{id}.jpg", "layout.labels .* ends in .png"),
    (("layout", "lists"), "train.txt", r"layout.lists is 'train.txt'.*with {split}"),
    (("layout", "split_folders"), "valid", "layout.split_folders is 'valid'"),
    (("layout", "extra_labels", "val"), 3, "layout.extra_labels.val is 3")])
def test_a_slip_is_named_with_its_key(path, value, text):
    with pytest.raises(UsageError, match=f"E-DATASET (?s:.*)file: leaf.json(?s:.*){text}"):
        check_entry("leaf", changed(path, value), "leaf.json")


def test_a_missing_key_and_a_name_that_is_no_name_are_told():
    with pytest.raises(UsageError, match="missing key layout.labels"):
        check_entry("leaf", changed(("layout",), {"folders": ["x"], "images": "{split}/{id}.png"}),
                    "leaf.json")
    with pytest.raises(UsageError, match="the file's name is 'my leaf'"):
        check_entry("my leaf", ENTRY, "my leaf.json")
    with pytest.raises(UsageError, match="the entry is .*expected an object"):
        check_entry("leaf", [], "leaf.json")


def places(value, path=()):
    """The path of every value below `value`."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(
        value if isinstance(value, list) else [])
    for key, below in items:
        yield from places(below, (*path, key))


CHANGES = st.lists(st.tuples(st.sampled_from([path for path in places(ENTRY) if path]),
                             st.sampled_from(SLIPS) | JSON), min_size=1, max_size=3)


@examples(2000)
@given(CHANGES)
def test_whatever_is_put_anywhere_an_entry_is_read_or_refused_by_its_code(changes):
    entry = ENTRY
    for path, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier one took the place
            entry = changed(path, value, entry)
    try:
        label_set = parse_label_set("leaf", json.loads(json.dumps(entry)), "leaf.json")
    except UsageError as error:
        assert error.code == "E-DATASET" and "leaf.json" in str(error)
    else:
        assert label_set.num_classes == len(label_set.palette) >= 2
        assert label_set.lookup.shape == (256,) and label_set.raw_palette
