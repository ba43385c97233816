"""Which files are photographs, and which may be replaced."""

import io

import numpy as np
import pytest
from PIL import Image

from deeplab.data.images import read_photo
from deeplab.runs.photos import find_photos, is_ours, marked
from deeplab.support.errors import DataError


def test_files_folders_and_patterns_are_found_once_each(tmp_path):
    for name in ("a.jpg", "b.PNG", "c.txt", "d.jpeg", "[e].jpg"):
        (tmp_path / name).write_bytes(b"")
    names = [path.name for path in find_photos([str(tmp_path), str(tmp_path / "a.jpg")]).files]
    assert names == ["[e].jpg", "a.jpg", "b.PNG", "d.jpeg"]
    assert [path.name for path in find_photos([str(tmp_path / "*.jp*g")]).files] == [
        "[e].jpg", "a.jpg", "d.jpeg"]
    assert find_photos([str(tmp_path / "[e].jpg")]).files
    for word in ("nothing.jpg", "*.webp"):
        with pytest.raises(DataError, match="E-IMAGE there are no photographs here"):
            find_photos([str(tmp_path / word)])


@pytest.mark.parametrize("mode", ["L", "P", "RGB"])
def test_a_mark_changes_no_pixel_and_is_found_again(tmp_path, mode):
    pixels, file = np.arange(48, dtype=np.uint8).reshape(6, 8), io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "PNG")
    (tmp_path / "a.png").write_bytes(file.getvalue())
    (tmp_path / "b.png").write_bytes(marked(file.getvalue()))
    assert [is_ours(tmp_path / name) for name in ("a.png", "b.png", "c.png", ".")] == [
        False, True, False, False]
    assert Image.open(tmp_path / "b.png").text == {"Software": "deeplab predict"}
    assert np.array_equal(read_photo(tmp_path / "a.png"), read_photo(tmp_path / "b.png"))
