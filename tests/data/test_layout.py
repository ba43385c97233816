"""Every dataset is read from the tree its publisher ships, and a wrong tree says what to do."""

import os
import re
from pathlib import Path

import pytest

from deeplab.data.catalog import DATASETS, SegmentationDataset, find_root
from deeplab.support.errors import DataError

NAMES = list(DATASETS)


@pytest.mark.parametrize("name", NAMES)
def test_a_native_tree_is_read_from_the_data_root_and_from_its_own_folder(make_tree, name):
    tree = make_tree(name)
    for place in (tree.data_root, tree.root):
        samples = SegmentationDataset(name, place, "train")
        in_order = tree.ids if tree.facts["lists"] else sorted(tree.ids)
        assert samples.ids == in_order
        assert [samples.image_path(i) for i in range(2)] == [tree.image(id) for id in in_order]
        assert [samples.label_path(i) for i in range(2)] == [tree.label(id) for id in in_order]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["JPEGImages-level", "one up", "two up", "one down", "two down"])
def test_a_wrong_data_root_is_answered_with_the_right_one(make_tree, tmp_path, name, place):
    tree = make_tree(name, below="disk/sets")
    inner = tree.root / tree.facts["images"].split("/")[0]
    asked = {"JPEGImages-level": inner, "one up": tmp_path / "disk", "two up": tmp_path,
             "one down": tmp_path / "disk/sets/other", "two down": tmp_path / "disk/sets/o/o",
             }[place]
    asked.mkdir(parents=True, exist_ok=True)
    with pytest.raises(DataError, match=r"E-LAYOUT .* is not here") as caught:
        find_root(DATASETS[name], asked)
    hint = re.search(r"do: pass --data-root (.*)", str(caught.value)).group(1)
    assert len(SegmentationDataset(name, hint, "train")) == 2


def test_a_miniature_twin_is_never_proposed_as_the_real_dataset(make_tree, tmp_path):
    make_tree("voc", below="miniature/voc")
    (tmp_path / "miniature/voc/miniature.json").write_text("{}")
    with pytest.raises(DataError, match="E-LAYOUT") as caught:
        find_root(DATASETS["voc"], tmp_path)
    assert "miniature/voc" not in str(caught.value).partition("do: ")[2]


def test_an_error_shows_the_expected_tree_and_what_is_there(tmp_path):
    for number in range(11):
        (tmp_path / f"stranger{number:02}").mkdir()
    with pytest.raises(DataError) as caught:
        find_root(DATASETS["voc"], tmp_path)
    text = str(caught.value)
    assert "found: stranger00/, stranger01/" in text and "and 3 more" in text
    assert "expected: VOCdevkit/VOC2012/ with JPEGImages/ and SegmentationClass/" in text
    assert "data/README.md" in text


@pytest.mark.parametrize("kind, found", [
    ("empty", "an empty folder"), ("file", "a file, not a folder"), ("none", "no such folder")])
def test_a_data_root_that_is_no_dataset_at_all_is_refused(tmp_path, kind, found):
    place = tmp_path / "a/b/c"
    place.parent.mkdir(parents=True)
    if kind == "empty":
        place.mkdir()
    if kind == "file":
        place.write_text("x")
    with pytest.raises(DataError, match=f"E-LAYOUT(.|\n)*found: {found}"):
        find_root(DATASETS["ade20k"], place)


def test_voc_of_2010_is_not_taken_for_voc_of_2012(make_tree):
    tree = make_tree("context")
    with pytest.raises(DataError, match="E-LAYOUT"):
        find_root(DATASETS["voc"], tree.data_root)


def test_the_tree_of_upstreams_own_archives_is_found(make_tree, tmp_path):
    tree = make_tree("ade20k", below="ADE20k")
    assert find_root(DATASETS["ade20k"], tmp_path) == tree.root


def test_trainaug_takes_voc_labels_where_there_are_and_sbd_labels_for_the_rest(make_tree):
    """1,464 images have VOC's labels, with void borders; SBD drew the others without."""
    tree = make_tree("voc")
    augmented = tree.root / "SegmentationClassAug"
    augmented.mkdir()
    tree.add("sbd_only")
    os.replace(tree.label("sbd_only"), augmented / "sbd_only.png")
    (augmented / "a_0001.png").write_bytes(b"SBD's label of an image that has VOC's")
    tree.list("trainaug", "sbd_only", "a_0001")
    samples = SegmentationDataset("voc", tree.root, "trainaug")
    assert [samples.label_path(i).parent.name for i in range(2)] == [
        "SegmentationClassAug", "SegmentationClass"]


def test_val_never_takes_labels_of_sbd(make_tree):
    tree = make_tree("voc")
    (tree.root / "SegmentationClassAug").mkdir()
    os.replace(tree.label("a_0001"), tree.root / "SegmentationClassAug/a_0001.png")
    tree.list("val", "a_0001")
    with pytest.raises(DataError, match=r"E-PAIR 1 of 1 labels(.|\n)*SegmentationClass/a_0001"):
        SegmentationDataset("voc", tree.root, "val")


def test_a_list_beside_the_folders_of_ade20k_is_obeyed(make_tree):
    tree = make_tree("ade20k")
    (tree.root / "train.txt").write_text("b_0002\n")
    assert SegmentationDataset("ade20k", tree.root, "train").ids == ["b_0002"]


def test_a_list_from_windows_reads_like_any_other(make_tree):
    tree = make_tree("voc")
    tree.list("train").write_bytes(b"\xef\xbb\xbfb_0002\r\n  a_0001 \r\n\r\n")
    assert SegmentationDataset("voc", tree.root, "train").ids == ["b_0002", "a_0001"]


def test_hidden_files_of_other_systems_are_no_images(make_tree):
    tree = make_tree("cityscapes")
    hidden = tree.image("ulm/ulm_000000_000019").parent / "._ulm_000000_000019_leftImg8bit.png"
    hidden.write_bytes(b"\0")
    assert len(SegmentationDataset("cityscapes", tree.root, "train")) == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_split_that_is_not_there_is_answered_with_those_that_are(make_tree, name):
    tree = make_tree(name)
    with pytest.raises(DataError, match=r"E-LAYOUT there is no split 'tset'(.|\n)*found: .*train"):
        SegmentationDataset(name, tree.root, "tset")


def test_other_text_files_of_ade20k_are_not_offered_as_splits(make_tree):
    tree = make_tree("ade20k")
    (tree.root / "objectInfo150.txt").write_text("Idx Ratio Train Val Name\n")
    assert DATASETS["ade20k"].layout.splits(tree.root) == ["train"]


@pytest.mark.parametrize("name, content, message", [
    ("voc", "a_0001\nb_0002\na_0001\n", "E-LIST ids listed more than once(.|\n)*found: a_0001"),
    ("voc", "\n\n", "E-LAYOUT split 'train' has no images"),
    ("context", "a_0001\nc_0003\n", "E-PAIR 1 of 2 images(.|\n)*no JPEGImages/c_0003.jpg"),
    ("voc", "A_0001\n", "E-PAIR 1 of 1 images"),
])
def test_a_faulty_list_is_refused(make_tree, name, content, message):
    tree = make_tree(name)
    tree.list("train").write_text(content)
    with pytest.raises(DataError, match=message):
        SegmentationDataset(name, tree.root, "train")


def test_a_list_that_is_not_text_is_refused(make_tree):
    tree = make_tree("voc")
    tree.list("train").write_bytes(b"\x89PNG\r\n\xff\xfe")
    with pytest.raises(DataError, match="E-LIST a list file is not text"):
        SegmentationDataset("voc", tree.root, "train")


@pytest.mark.parametrize("name", NAMES)
def test_an_image_without_a_label_is_refused_on_opening(make_tree, name):
    tree = make_tree(name)
    tree.label(tree.ids[0]).unlink()
    with pytest.raises(DataError, match=rf"E-PAIR 1 of 2 labels(.|\n)*{Path(tree.ids[0]).name}"):
        SegmentationDataset(name, tree.root, "train")


def test_a_split_folder_without_images_is_refused(make_tree):
    tree = make_tree("cityscapes")
    (tree.root / "leftImg8bit/val/ulm").mkdir(parents=True)
    with pytest.raises(DataError, match="E-LAYOUT split 'val' has no images"):
        SegmentationDataset("cityscapes", tree.root, "val")
