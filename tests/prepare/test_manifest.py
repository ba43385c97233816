"""The manifest of a dataset, which may come with it from a stranger."""

import json
import re

import pytest

from deeplab.prepare.manifest import changes
from deeplab.support.errors import DataError

FILES = {"a.jpg": [3, "0" * 64], "b.png": [4, "1" * 64]}


def compare(path, **more):
    path.write_text(json.dumps({"made": "2026-01-01", "files": FILES} | more))
    return [str(error) for error in changes(path, FILES)]


def test_what_differs_is_named_and_what_is_equal_is_not(tmp_path):
    path = tmp_path / "m.json"
    assert compare(path) == []
    new, = compare(path, files={"a.jpg": FILES["a.jpg"]})
    changed, = compare(path, files=FILES | {"a.jpg": [9, "f" * 64]})
    gone, = compare(path, files=FILES | {"c.jpg": [9, "f" * 64]})
    assert "file: b.png" in new and "expected: no file" in new
    assert "found: 3 bytes, sha256 000000000000\n" in changed
    assert "expected: 9 bytes, sha256 ffffffffffff (manifest of 2026-01-01)" in changed
    assert "file: c.jpg" in gone and "found: no file" in gone


@pytest.mark.parametrize("more, text", [
    ({"files": []}, r"files is \[\], expected an object"), ({"made": 1}, "made is 1"),
    ({"files": {"a.jpg": None}}, "files.a.jpg is None, expected .size in bytes"),
    ({"files": {"a.jpg": [1]}}, "files.a.jpg is"), ({"files": {"a.jpg": ["x", 1]}}, "files.a.jpg")])
def test_a_manifest_of_another_form_is_one_problem(tmp_path, more, text):
    error, = compare(tmp_path / "m.json", **more)
    assert re.search(f"E-MANIFEST(?s:.*)found: {text}", error)


def test_a_manifest_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "m.json").write_text("{")
    with pytest.raises(DataError, match="E-JSON"):
        list(changes(tmp_path / "m.json", FILES))
