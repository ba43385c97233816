"""A file with a known digest is compared when it is read, and no more often than it must be."""

import os

import numpy as np
import pytest
from PIL import Image

from deeplab.data.images import read_image
from deeplab.prepare.manifest import expect_unchanged
from deeplab.support import known
from deeplab.support.errors import DataError
from deeplab.support.files import write_json


@pytest.fixture
def photo(tmp_path, monkeypatch):
    """A photo that a manifest beside its folder lists."""
    monkeypatch.setattr(known, "KNOWN", {})
    monkeypatch.setattr("deeplab.prepare.manifest.KNOWN", known.KNOWN)
    path = tmp_path / "voc/a.jpg"
    path.parent.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)).save(path)
    write_json(tmp_path / "manifest-voc.json",
               {"made": "2026-01-01", "files": {"voc/a.jpg": known.identity(path.read_bytes())}})
    return path


def flip(path, bit=8 * 1500):
    """One bit of the coded pixels, with the times that the file had; it still decodes."""
    content, stat = bytearray(path.read_bytes()), path.stat()
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_changed_photo_is_refused_with_what_to_do(photo):
    flip(photo)
    read_image(photo)  # nobody asked to compare
    expect_unchanged(photo.parents[1] / "manifest-voc.json")
    with pytest.raises(DataError, match="E-CHANGED(?s:.*)file: voc/a.jpg(?s:.*)of 2026-01-01(?s:.*)"
                                        "delete .*manifest-voc.json"):
        read_image(photo)
    flip(photo)
    read_image(photo)


def test_a_photo_that_changes_after_it_was_read_is_refused_too(photo):
    expect_unchanged(photo.parents[1] / "manifest-voc.json")
    read_image(photo)
    flip(photo)
    with pytest.raises(DataError, match="E-CHANGED"):
        read_image(photo)


def test_an_unchanged_photo_is_compared_once(photo, monkeypatch):
    expect_unchanged(photo.parents[1] / "manifest-voc.json")
    read_image(photo)
    monkeypatch.setattr(known, "identity", None)
    read_image(photo)


def test_a_photo_that_the_manifest_does_not_list_is_refused_and_others_are_not(photo):
    expect_unchanged(photo.parents[1] / "manifest-voc.json")
    photo.with_name("b.jpg").write_bytes(photo.read_bytes())
    with pytest.raises(DataError, match="E-CHANGED(?s:.*)file: voc/b.jpg(?s:.*)expected: no file"):
        read_image(photo.with_name("b.jpg"))
    elsewhere = photo.parents[2] / f"{photo.parents[1].name}-elsewhere.jpg"
    elsewhere.write_bytes(photo.read_bytes())
    read_image(elsewhere)


def test_without_a_manifest_nothing_is_compared_any_more(photo):
    manifest = photo.parents[1] / "manifest-voc.json"
    expect_unchanged(manifest)
    manifest.unlink()
    flip(photo)
    expect_unchanged(manifest)
    read_image(photo)
