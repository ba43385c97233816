"""Every file below a folder is found by a name that agrees on any system; system files are told."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import examples

from deeplab.support.errors import DataError
from deeplab.support.listing import canonical, files_below, read_list

KNOWN = {"p1": "photos/train/p1.jpg", "p 2": "photos/train/p 2.JPG",
         "ulm/p3": "photos/train/ulm/p3.jpeg", "Köln": "photos/train/Köln.jpg"}


@pytest.mark.parametrize("name, other", [
    ("a.JPG", "a.jpg"), ("a.jpeg", "a.Jpg"), ("a.PNG", "a.png"), ("x.y.Png", "x.y.png"),
    ("Köln/ü.png", unicodedata.normalize("NFD", "Köln/ü.png"))])
def test_names_of_one_file_agree(name, other):
    assert canonical(name) == canonical(other)


@pytest.mark.parametrize("name, other", [("A.jpg", "a.jpg"), ("a.jpg", "a.png"), ("a", "a.jpg"),
                                         ("v1.0/a", "v1.0/A"), ("a.jpg", "a..jpg")])
def test_names_of_different_files_differ(name, other):
    assert canonical(name) != canonical(other)


def test_links_are_followed_and_system_files_are_told(tmp_path):
    for name in ("a/1.jpg", "a/.ipynb_checkpoints/1.jpg", "a/@eaDir/2.jpg", "a/._1.jpg",
                 "a/Thumbs.db", "elsewhere/b/3.jpg", "a/deep/er/4.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a/link").symlink_to(tmp_path / "elsewhere/b")
    (tmp_path / "a/deep/loop").symlink_to(tmp_path / "a")
    found = files_below(tmp_path / "a")
    assert sorted(found.files) == ["1.jpg", "deep/er/4.jpg", "link/3.jpg"]
    assert {*found.hidden} == {".ipynb_checkpoints/", "._1.jpg", "@eaDir/", "Thumbs.db"}
    assert files_below(tmp_path / "nowhere") == ([], [])


@pytest.mark.parametrize("lines, ids", [
    ("p1\r\np 2\r\n", ["p1", "p 2"]), ("p1.jpg\np 2.jpg", ["p1", "p 2"]),
    ("photos/train/p1.jpg\n./photos/train/ulm/p3.jpeg", ["p1", "ulm/p3"]),
    ("/data/leaves/photos/train/ulm/p3.JPG", ["ulm/p3"]),
    ("p1.jpg p1.png\nulm/p3.jpg ulm/p3.png", ["p1", "ulm/p3"]),
    ("p1,labels/p1.png\n\"p 2.jpg\";labels/p 2.png", ["p1", "p 2"]),
    ("photos\\train\\p1.jpg\tlabels\\p1.png", ["p1"]), ("p1 1\nulm/p3 -1", ["p1", "ulm/p3"]),
    (unicodedata.normalize("NFD", "Köln"), ["Köln"]), ("p1\nstranger", ["p1", "stranger"])])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_of_any_usual_form_leads_to_the_ids(tmp_path, lines, ids, encoding):
    (tmp_path / "train.txt").write_bytes(lines.encode(encoding))
    assert read_list(tmp_path / "train.txt", KNOWN) == ids


def forms(file: str, id: str) -> list[str]:
    """How a list may name the image `file` of sample `id`."""
    return [id, file, f"./{file}", f"/disk/{file}", file.rpartition(".")[0],
            file.replace("/", "\\"), f"{file},mask.png", f"{file}\tmask.png"]


@examples(2000)
@given(st.sampled_from([(id, form) for id, file in KNOWN.items() for form in forms(file, id)]),
       st.sampled_from(["", "  ", "\t"]), st.sampled_from(["\n", "\r\n", "  \n", ""]))
def test_whatever_surrounds_a_path_its_id_is_found(tmp_path, named, before, after):
    id, form = named
    (tmp_path / "list").write_text(before + form + after, encoding="utf-8", newline="")
    assert read_list(tmp_path / "list", KNOWN) == [id]


@examples(2000)
@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_whatever_the_bytes_a_list_gives_one_id_a_line_or_is_no_text(tmp_path, content):
    (tmp_path / "list").write_bytes(content)
    try:
        ids = read_list(tmp_path / "list", KNOWN)
    except DataError as error:
        assert error.code == "E-LIST"
    else:
        assert all(id == id.strip() != "" for id in ids)
