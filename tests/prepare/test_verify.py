"""`verify` decodes everything, lists what is wrong, and finds every changed bit."""

import io
import json
import random
import shutil
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from dataset_trees import save
from PIL import Image

from deeplab.cli.main import main
from deeplab.data.catalog import SegmentationDataset, get_dataset
from deeplab.prepare import verify as verifying
from deeplab.prepare.suspect import check_splits, odd_borders
from deeplab.prepare.verify import grouped, verify
from deeplab.support.errors import DataError, ResourceError
from deeplab.support.known import name_below

NOISE = np.random.default_rng(0).integers(0, 256, (30, 40, 3))


@pytest.fixture
def tree(make_tree):
    """VOC's tree with the three lists that VOC has."""
    tree = make_tree("voc")
    tree.add("v_0003")
    tree.list("val", "v_0003")
    tree.list("trainaug", *tree.ids)
    return tree


def problems(tree):
    return [str(problem) for problem in
            verify(tree.name, tree.data_root, part=True).problems]


def test_a_sound_part_has_no_problems_and_gets_a_manifest(tree):
    report = verify("voc", tree.data_root, part=True)
    assert report.problems == [] and report.counts == {"train": 2, "trainaug": 2, "val": 1}
    manifest = json.loads((tree.data_root / "manifest-voc.json").read_text())
    assert len(manifest["files"]) == 6 + 3
    size, digest = manifest["files"]["VOCdevkit/VOC2012/JPEGImages/a_0001.jpg"]
    assert size == tree.image("a_0001").stat().st_size and len(digest) == 64
    assert str(report) == "PASCAL VOC 2012 + SBD: train 2, trainaug 2, val 1; 9 files, 0 problems"


def test_a_dataset_without_files_has_no_split(tmp_path):
    for folder in ("leftImg8bit/train", "gtFine/train"):
        (tmp_path / "cityscapes" / folder).mkdir(parents=True)
    report = verify("cityscapes", tmp_path)
    assert str(report).startswith("Cityscapes: no split is whole; 0 files, 2 problems\n")


def test_counts_must_be_the_published_ones(tree):
    report = verify("voc", tree.data_root)
    assert len(report.problems) == 3 and not report.manifest.exists()
    assert "found: 2 images   expected: 10,582" in str(report) and "--part" in str(report)


def test_context_may_have_either_of_its_two_counts(make_tree):
    tree = make_tree("context")
    tree.list("val", "a_0001")
    assert "expected: 4,998 or 4,996" in str(verify("context", tree.data_root).problems[0])


def test_of_each_kind_of_problem_a_few_are_listed_with_its_own_advice_and_all_are_counted(tree):
    ids = [f"c_{number:04d}" for number in range(30)]
    for id in ids:
        tree.add(id, value=77)
    tree.list("trainaug", *ids)
    save(tree.label("v_0003"), np.zeros((7, 9)))
    save(tree.label("a_0001"), np.full((6, 9, 3), (0, 90, 0)))
    report = verify("voc", tree.data_root, part=True)
    lines = str(report).splitlines()
    assert lines[0].endswith("32 problems") and len(report.problems) == 32
    assert "E-LABEL" in lines[1] and "expected: a palette" in lines[1]
    assert lines[2].startswith("    do: convert the colours to class numbers (deeplab data conv")
    assert all("E-LABEL" in line and "found: 77" in line for line in lines[3:8])
    assert lines[8] == "    and 25 more" and lines[9].startswith("    do: re-export")
    assert "E-SIZE" in lines[10] and "found: 7 x 9 | expected: 6 x 9" in lines[10]
    assert len(lines) == 12 and "delete" not in str(report)  # there is no manifest yet


def test_a_problem_without_advice_is_told_whole():
    problems = [DataError.of("E-LIST", "not text", file=name, found="0xff") for name in "ab"]
    assert list(grouped(problems)) == [f"  E-LIST not text | file: {name} | found: 0xff"
                                       for name in "ab"]


MUTATIONS = {
    "empty": lambda content: b"", "first byte only": lambda content: content[:1],
    "header only": lambda content: content[:20],
    "half": lambda content: content[:len(content) // 2],
    "end gone": lambda content: content[:-30],
    "web page": lambda content: b"<!DOCTYPE html><html></html>",
    "text": lambda content: b"hello", "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("change", MUTATIONS.values(), ids=MUTATIONS)
@pytest.mark.parametrize("kind", ["image", "label"])
def test_a_damaged_file_is_found_without_a_manifest(tree, kind, change):
    path = getattr(tree, kind)("b_0002")
    path.write_bytes(change(path.read_bytes()))
    found = problems(tree)
    assert len(found) == 1 and str(path) in found[0]  # though it is in two splits
    assert not (tree.data_root / "manifest-voc.json").exists()


@pytest.mark.parametrize("kind", ["image", "label"])
def test_a_folder_a_dangling_link_and_a_missing_file_are_found(tree, kind):
    path = getattr(tree, kind)("b_0002")
    path.unlink()
    path.mkdir()
    assert len(problems(tree)) == 1
    path.rmdir()
    path.symlink_to("nowhere")
    assert len(problems(tree)) == 1
    path.unlink()
    assert ["E-PAIR" in problem for problem in problems(tree)] == [True] * 2  # for each list


def test_wrong_sizes_modes_and_values_are_found(tree):
    for array in (np.zeros((6, 8)), np.zeros((6, 9, 3)), np.full((6, 9), 21)):
        save(tree.label("b_0002"), array)
        assert len(problems(tree)) == 1


def test_every_single_flipped_bit_is_found_with_the_manifest(tree):
    verify("voc", tree.data_root, part=True)
    paths = [tree.image("a_0001"), tree.label("a_0001"),
             tree.root / "ImageSets/Segmentation/val.txt"]
    draw, flips, found = random.Random(0), 0, 0
    for path in paths:
        whole = path.read_bytes()
        for _ in range(12):
            flipped = bytearray(whole)
            flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
            path.write_bytes(flipped)
            flips += 1
            found += bool(problems(tree))
        path.write_bytes(whole)
    assert found == flips == 36
    assert problems(tree) == []


def test_what_is_new_or_gone_since_the_manifest_is_told(tree):
    verify("voc", tree.data_root, part=True)
    tree.add("c_0003")
    tree.list("val", "c_0003")
    found = problems(tree)
    assert any("c_0003.jpg\n  found: " in text and "expected: no file" in text for text in found)
    assert all(text.startswith("E-CHANGED") and f"delete {tree.data_root}" in text
               for text in found)


def test_the_same_image_in_a_training_and_in_another_split_is_found(tree):
    tree.list("val", "v_0003", "b_0002")
    (found,) = problems(tree)
    assert found.startswith("E-LEAK") and "found: in splits train and val" in found
    tree.list("val", "v_0003")
    Image.open(tree.image("a_0001")).save(tree.image("v_0003"), quality=75, comment="copied")
    (found,) = problems(tree)
    assert str(tree.image("v_0003")) in found and f"as {tree.image('a_0001')}" in found


def test_what_is_odd_in_a_few_images_of_a_published_dataset_is_no_problem(tree, monkeypatch):
    """Some of them have an image twice; a dataset of one's own should not."""
    tree.list("val", "v_0003", "b_0002")
    monkeypatch.setattr(verifying, "ODD_SHARE", 0.5)
    report = verify("voc", tree.data_root, part=True)
    assert report.problems == [] and len(report.odd) == 1 and report.manifest.exists()
    assert "odd, but perhaps so as published: 1" in str(report) and "E-LEAK" in str(report)
    monkeypatch.setattr(verifying, "DATASETS", {})
    assert len(verify("voc", tree.data_root, part=True).problems) == 1


def test_a_file_that_two_lists_name_is_seen_at_opening(tree):
    train, val = (SegmentationDataset("voc", tree.root, split) for split in ("trainaug", "val"))
    check_splits(train, val)
    tree.list("val", "v_0003", "b_0002", "a_0001")
    with pytest.raises(DataError, match=r"E-LEAK(?s:.*)a_0001(?s:.*)trainaug and val, and 1 more"):
        check_splits(train, SegmentationDataset("voc", tree.root, "val"))


def test_a_file_whose_ending_lies_is_read_and_named(tree):
    save(tree.image("a_0001").with_suffix(".png"), NOISE).rename(tree.image("a_0001"))
    save(tree.label("a_0001"), np.zeros(NOISE.shape[:2]))
    report = verify("voc", tree.data_root, part=True)
    assert not report.problems and list(report.misnamed) == [
        "VOCdevkit/VOC2012/JPEGImages/a_0001.jpg"]
    assert "1 files are of another format than their ending says" in str(report)


def test_labels_without_images_are_found_where_folders_are_the_splits(make_tree):
    tree = make_tree("ade20k")
    for kind in ("images", "annotations"):
        shutil.copytree(tree.root / kind / "training", tree.root / kind / "validation")
    for path in (tree.root / "images/validation").iterdir():
        save(path, np.full((6, 9, 3), 255 - sum(path.name.encode()) % 100))
    shutil.copy(tree.label("a_0001"), tree.root / "annotations/training/stray.png")
    (found,) = problems(tree)
    assert "E-PAIR 1 labels of split 'train' without an image" in found and "stray.png" in found


def resized(raw, factor, filter):
    size = (int(raw.shape[1] * factor), int(raw.shape[0] * factor))
    return np.asarray(Image.fromarray(raw).resize(size, filter))


@pytest.mark.parametrize("name", ["voc", "ade20k", "context"])
@pytest.mark.parametrize("factor", [0.5, 0.9, 1.5])
def test_interpolated_labels_are_told_from_those_that_are_not(name, factor):
    facts, rng = get_dataset(name), np.random.default_rng(0)
    raw = np.full((200, 300), facts.raw_values[0], np.uint8)
    for _ in range(12):
        y, x = rng.integers(0, 170), rng.integers(0, 270)
        cv2.circle(raw, (int(x), int(y)), 30, int(rng.choice(facts.raw_values)), -1)
    assert not odd_borders(raw, facts, Path("x.png"))
    assert not odd_borders(resized(raw, factor, Image.NEAREST), facts, Path("x.png"))
    for filter in (Image.BILINEAR, Image.BICUBIC, Image.LANCZOS):
        found = odd_borders(resized(raw, factor, filter), facts, Path("x.png"))
        assert found.code == "E-LABEL" and "nearest neighbour only" in str(found)
    for format in ("JPEG", "WEBP"):
        file = io.BytesIO()
        Image.fromarray(raw).save(file, format, quality=95)
        assert odd_borders(np.asarray(Image.open(file).convert("L")), facts, Path("x.png"))


def test_noise_and_thin_things_are_not_taken_for_interpolation():
    facts, rng = get_dataset("voc"), np.random.default_rng(0)
    assert not odd_borders(rng.integers(0, 21, (40, 40), np.uint8), facts, Path("x.png"))
    raw = np.zeros((100, 100), np.uint8)
    raw[:, 50:] = 20
    raw[:5, 49:51] = 7  # a pole as thin as can be
    raw[20:, 49:51] = 255
    assert not odd_borders(raw, facts, Path("x.png"))


def test_a_thousand_pictures_would_take_less_than_fifteen_seconds(tmp_path):
    """On two cores; measured on 100 pictures of 500 x 375, in processor time, which others'
    work on the machine does not lengthen."""
    tree_of = tmp_path / "VOCdevkit/VOC2012"
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (375 // 5, 100, 3)).repeat(5, 0).repeat(5, 1)
    save(tree_of / "JPEGImages/0.jpg", image)
    save(tree_of / "SegmentationClass/0.png", rng.integers(0, 21, (375, 500)) // 20)
    save(tree_of / "JPEGImages/v.jpg", 255 - image)
    shutil.copy(tree_of / "SegmentationClass/0.png", tree_of / "SegmentationClass/v.png")
    for number in range(1, 100):
        for folder, ending in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
            shutil.copy(tree_of / folder / f"0.{ending}", tree_of / folder / f"{number}.{ending}")
    for split in ("train", "trainaug", "val"):
        path = tree_of / "ImageSets/Segmentation" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = ["v"] if split == "val" else range(1, 100) if split == "train" else [1]
        path.write_text("".join(f"{n}\n" for n in ids))
    begin = time.process_time()
    report = verify("voc", tmp_path, part=True)
    seconds = (time.process_time() - begin) / 2
    assert report.problems == [] and 10 * seconds < 15


def test_what_was_found_is_told_where_the_manifest_cannot_be_written(tree, tmp_path, monkeypatch):
    def refuse(path, value):
        raise ResourceError.of("E-WRITE", "cannot write", file=path)
    tree.list("train", "a_0001")
    tree.list("trainaug", "a_0001")
    save(tree.image("b_0002"), np.full((6, 9, 3), 60))
    monkeypatch.setattr("deeplab.prepare.verify.write_json", refuse)
    words = ["data", "verify", "voc", "--part", "--data-root", str(tree.data_root)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0 and "0 problems" in done.output
    assert "E-WRITE" in done.output and "--manifest FILE" in done.output
    monkeypatch.undo()
    done = CliRunner().invoke(main, [*words, "--manifest", str(tmp_path / "m.json")])
    assert (tmp_path / "m.json").exists() and str(tmp_path / "m.json") in done.output
    assert not (tree.data_root / "manifest-voc.json").exists()
    tree.image("a_0001").write_bytes(tree.image("a_0001").read_bytes() + b"\0")
    done = CliRunner().invoke(main, [*words, "--manifest", str(tmp_path / "m.json")])
    assert done.exit_code == 3 and "E-CHANGED" in done.output


def test_a_name_that_is_no_text_is_kept_in_the_manifest_by_its_bytes():
    assert name_below(Path("/data/leaf/a_\udcff é.png"), Path("/data")) == "leaf/a_\\xff é.png"
