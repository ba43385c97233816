"""The twins: native layout and encoding, the same bytes each time, every class to be seen."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeplab.data.catalog import DATASETS, SegmentationDataset
from deeplab.data.images import read_indices
from deeplab.miniature import twins
from deeplab.miniature.drawing import vocabulary
from deeplab.miniature.twins import miniature, with_border, with_void_regions
from deeplab.support.errors import UsageError
from deeplab.support.files import write_json
from deeplab.support.void import IGNORE_INDEX

TRAIN = {"voc": "trainaug"}
NAMES = ("voc", "ade20k", "cityscapes", "context")
# where the publishers put things, typed from their sites
TREES = {
    "voc": {"VOCdevkit/VOC2012/JPEGImages/2008_000007.jpg",
            "VOCdevkit/VOC2012/SegmentationClass/2008_000008.png",
            "VOCdevkit/VOC2012/SegmentationClassAug/2008_000007.png",
            "VOCdevkit/VOC2012/SegmentationClass/2007_000001.png",
            "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt",
            "VOCdevkit/VOC2012/ImageSets/Segmentation/trainaug.txt",
            "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt"},
    "ade20k": {"ADEChallengeData2016/images/training/ADE_train_00000001.jpg",
               "ADEChallengeData2016/images/validation/ADE_val_00000001.jpg",
               "ADEChallengeData2016/annotations/training/ADE_train_00000001.png",
               "ADEChallengeData2016/annotations/validation/ADE_val_00000001.png"},
    "cityscapes": {f"{folder}/{split}/miniature/miniature_000003_000019_{kind}.png"
                   for split in ("train", "val")
                   for folder, kind in (("cityscapes/leftImg8bit", "leftImg8bit"),
                                        ("cityscapes/gtFine", "gtFine_labelIds"))},
    "context": {"VOCdevkit/VOC2010/JPEGImages/2008_000001.jpg",
                "VOCdevkit/VOC2010/SegmentationClassContext/2008_000001.png",
                "VOCdevkit/VOC2010/ImageSets/SegmentationContext/train.txt",
                "VOCdevkit/VOC2010/ImageSets/SegmentationContext/val.txt"},
}
DRAW = """
import json, sys, time
from deeplab.miniature.drawing import vocabulary
from deeplab.miniature.twins import miniature
for name in sys.argv[3:]:
    vocabulary()["sets"][name].update(json.loads(sys.argv[2]))
    start = time.process_time()
    print(name, miniature(name, sys.argv[1]), time.process_time() - start)
"""


def start_drawing(root, *names, sizes=None):
    """A process that draws twins, with other numbers of pictures where `sizes` gives them."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "random"}
    words = [sys.executable, "-c", DRAW, str(root), json.dumps(sizes or {}), *names]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def output_of(processes):
    """What processes that run side by side print; all must end well."""
    outputs = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs
    return [output for output, _ in outputs]


def content(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in folder.rglob("*") if path.is_file()}


def classes_in(name, root):
    """Per split, how many images show each class; every image and label is decoded."""
    found = {}
    for split in (TRAIN.get(name, "train"), "val"):
        counts = np.zeros(DATASETS[name].num_classes, int)
        for image, label in SegmentationDataset(name, root, split):
            assert image.std() > 5
            counts[[value for value in np.unique(label) if value != IGNORE_INDEX]] += 1
        found[split] = counts
    return found


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Every twin drawn twice at once, by two processes into two folders, and its CPU time."""
    roots = [tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("a second place")]
    output, _ = output_of([start_drawing(root, *NAMES) for root in roots])
    seconds = {line.split()[0]: float(line.split()[-1]) for line in output.splitlines()}
    return roots[0], roots[1], seconds


@pytest.fixture
def tiny(monkeypatch):
    """Twins of six and three pictures, drawn in a moment."""
    for spec in vocabulary()["sets"].values():
        monkeypatch.setitem(spec, "train", 6)
        monkeypatch.setitem(spec, "val", 3)


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_is_small_quick_and_the_same_to_the_byte(drawn, name):
    first, second, seconds = drawn
    one, two = content(first / name), content(second / name)
    assert one == two
    assert sum(map(len, one.values())) <= 20e6 and seconds[name] <= 20


@pytest.mark.parametrize("name", NAMES)
def test_a_twin_lies_in_the_native_tree(drawn, name):
    assert TREES[name] <= content(drawn[0] / name).keys()


@pytest.mark.parametrize("name", NAMES)
def test_split_lists_and_sizes_fit(drawn, name):
    spec, root = vocabulary()["sets"][name], drawn[0] / name
    train, val = (SegmentationDataset(name, root, split).ids
                  for split in (TRAIN.get(name, "train"), "val"))
    assert (len(train), len(val)) == (spec["train"], spec["val"])
    if name != "cityscapes":  # where the folder of the split tells them apart
        assert not set(train) & set(val)


@pytest.mark.parametrize("name", ["voc", "cityscapes", "context", "context59"])
def test_every_file_is_read_and_every_class_occurs_in_training_and_validation(drawn, name):
    for split, counts in classes_in(name, drawn[0] / name.removesuffix("59")).items():
        absent = [DATASETS[name].classes[index] for index in np.flatnonzero(counts == 0)]
        assert not absent, f"{name} {split} never shows {absent}"


def test_most_of_what_ade20k_can_show_occurs_in_both_splits(drawn):
    train, val = classes_in("ade20k", drawn[0] / "ade20k").values()
    assert (train > 0).sum() >= 60 and (val > 0).sum() >= 60
    assert not ((val > 0) & (train == 0)).any()  # nothing is asked that was never shown


def test_voc_labels_are_palette_images_with_borders_and_their_aug_twins_have_none(drawn):
    root = drawn[0] / "voc/VOCdevkit/VOC2012"
    train, trainaug = (SegmentationDataset("voc", drawn[0] / "voc", split).ids
                       for split in ("train", "trainaug"))
    assert set(train) < set(trainaug) and len(train) == len(trainaug) / 4
    assert len(list((root / "SegmentationClassAug").iterdir())) == len(trainaug)
    for identifier in train[:10]:
        with Image.open(root / f"SegmentationClass/{identifier}.png") as image:
            assert image.mode == "P"
            assert image.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]
        bordered = read_indices(root / f"SegmentationClass/{identifier}.png")
        aug = read_indices(root / f"SegmentationClassAug/{identifier}.png")
        assert (bordered == 255).any() and aug.max() <= 20
        assert (bordered == aug)[bordered != 255].all()


def test_trainaug_takes_the_bordered_label_where_there_is_one(drawn):
    samples = SegmentationDataset("voc", drawn[0] / "voc", "trainaug")
    folders = [samples.label_path(index).parent.name for index in range(8)]
    assert folders == ["SegmentationClass", *["SegmentationClassAug"] * 3] * 2


@pytest.mark.parametrize("name, allowed", [
    ("ade20k", range(151)), ("cityscapes", range(34)), ("context", range(60))])
def test_labels_are_plain_grey_images_of_the_published_values(drawn, name, allowed):
    samples, values = SegmentationDataset(name, drawn[0] / name, "val"), set()
    for index in range(len(samples)):
        with Image.open(samples.label_path(index)) as image:
            assert image.mode == "L"
        values |= set(np.unique(read_indices(samples.label_path(index))).tolist())
    assert values <= set(allowed) and 0 in values if name != "cityscapes" else {1, 3, 4} <= values


def test_what_a_cityscapes_frame_leaves_out_is_seen_in_the_picture(drawn):
    samples = SegmentationDataset("cityscapes", drawn[0] / "cityscapes", "train")
    image, label = samples[0]
    raw = read_indices(samples.label_path(0))
    for value, share in ((1, 0.02), (3, 0.01), (4, 0.001)):
        pixels = image[raw == value]
        assert len(pixels) > share * raw.size and (pixels == pixels[0]).all()
        assert (label[raw == value] == IGNORE_INDEX).all() and pixels[0].max() < 100
    assert raw[-1, raw.shape[1] // 2] == 1 and raw[0, 100] == raw[50, 0] == 3 and raw[-1, 0] == 4


def test_void_regions_leave_their_input_alone():
    image, raw = np.zeros((40, 80, 3), np.uint8), np.full((40, 80), 7, np.uint8)
    marked, label = with_void_regions(image, raw)
    assert not image.any() and (raw == 7).all()
    assert ((marked != 0).any(2) == (label != 7)).all()


def test_a_border_is_two_pixels_wide_and_lies_on_both_sides():
    label = np.zeros((5, 8), np.uint8)
    label[:, 4:] = 9
    assert with_border(label)[2].tolist() == [0, 0, 0, 255, 255, 9, 9, 9]


def test_another_seed_is_another_twin(tiny, tmp_path):
    one, two = miniature("voc", tmp_path), miniature("voc", tmp_path, seed=1)
    assert (one.name, two.name) == ("voc", "voc-1")
    assert content(one).keys() == content(two).keys() and content(one) != content(two)


def test_both_context_rows_share_one_twin(tiny, tmp_path):
    assert miniature("context59", tmp_path) == miniature("context", tmp_path)


def test_a_twin_that_is_there_is_left_alone(tiny, tmp_path):
    folder = miniature("voc", tmp_path)
    (folder / ".DS_Store").touch()  # which a file browser leaves
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert miniature("voc", tmp_path) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_pack_beside_the_files_is_no_damage(tiny, tmp_path):
    samples = SegmentationDataset("voc", miniature("voc", tmp_path), "val")
    path = samples.pack()
    assert miniature("voc", tmp_path) and path.is_file()


def test_a_changed_drawing_or_a_damaged_file_draws_it_anew(tiny, tmp_path, monkeypatch):
    folder = miniature("voc", tmp_path)
    before = content(folder)
    image = next(folder.rglob("*.jpg"))
    stamp = folder / "miniature.json"
    damages = (image.unlink, lambda: image.write_bytes(b""), lambda: flip_a_bit(image),
               lambda: stamp.write_bytes(b"{"), lambda: stamp.write_text("[]"))
    for damage in damages:
        damage()
        assert content(miniature("voc", tmp_path)) == before
    monkeypatch.setattr(twins, "version", lambda name: "another one")
    after = content(miniature("voc", tmp_path))
    assert after.keys() == before.keys()
    assert json.loads(after["miniature.json"])["version"] == "another one"


@pytest.mark.parametrize("stamp", ["listed", "earlier", "damaged"])
def test_a_file_of_somebody_else_survives_when_a_twin_must_be_drawn_anew(tiny, tmp_path, stamp):
    folder = miniature("ade20k", tmp_path)
    drawn = content(folder)
    said = json.loads((folder / "miniature.json").read_text())
    if stamp != "listed":
        del said["files"]
        text = json.dumps(said)[:-1 if stamp == "damaged" else None]
        (folder / "miniature.json").write_text(text)
    image = next(folder.rglob("*.jpg"))
    for stranger in (image.with_name("mine.jpg"), folder / "packed/notes.txt", folder / "link"):
        stranger.parent.mkdir(exist_ok=True)
        if stranger.name == "link":
            stranger.symlink_to(tmp_path)
        else:
            shutil.copy(image, stranger)
        before = content(folder)
        with pytest.raises(UsageError, match=rf"E-TWIN files that deeplab did not draw(.|\n)*"
                                             rf"{stranger.name}(.|\n)*move them elsewhere"):
            miniature("ade20k", tmp_path)
        assert content(folder) == before
        stranger.unlink()
    assert content(miniature("ade20k", tmp_path)) == drawn


def test_the_version_follows_the_drawing_and_not_its_wording(tmp_path, monkeypatch):
    source = Path(twins.__file__).parent
    for name in ("drawing.py", "look_alikes.py", "scenes.py", "twins.py", "scenes.json",
                 "../data/classes.json"):
        (tmp_path / Path(name).name).write_bytes((source / name).read_bytes())
    monkeypatch.setattr(twins, "files", lambda package: tmp_path)

    def version_after(name, before, after):
        text = (tmp_path / name).read_text()
        assert before in text
        (tmp_path / name).write_text(text.replace(before, after, 1))
        return twins.version.__wrapped__("voc")

    first = twins.version("voc")
    assert version_after("drawing.py", "CONTRAST = 30  #", "CONTRAST = 30  # grey,") == first
    changed = [version_after("drawing.py", "CONTRAST = 30", "CONTRAST = 31"),
               version_after("look_alikes.py", "COMPANIONS = 10", "COMPANIONS = 9"),
               version_after("scenes.py", "COARSE = 3", "COARSE = 2"),
               version_after("twins.py", "JPEG_QUALITY = 92", "JPEG_QUALITY = 91"),
               version_after("scenes.json", '"colours": {', '"colours": {"new": [1, 2, 3],'),
               version_after("classes.json", '"raw": 20,', '"raw": 21,')]
    assert len({first, *changed}) == 7
    before = [twins.version.__wrapped__(name) for name in ("voc", "cityscapes")]
    assert version_after("scenes.json", '"train": 120,', '"train": 121,') == before[0]
    assert twins.version.__wrapped__("cityscapes") != before[1]


def test_processes_may_ask_at_once_and_one_draws(tmp_path):
    output_of([start_drawing(tmp_path, "voc", sizes={"train": 60, "val": 8}) for _ in range(3)])
    assert len(SegmentationDataset("voc", tmp_path / "voc", "val")) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == [".voc.lock", "voc"]


def test_a_killed_drawing_leaves_no_twin_and_the_next_one_is_whole(tmp_path, tiny):
    process = start_drawing(tmp_path, "voc")
    def drafts():
        return list(tmp_path.glob(".tmp-*-voc"))

    waiting = threading.Event()
    while not drafts() and process.poll() is None:
        waiting.wait(0.005)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not (tmp_path / "voc").exists()
    assert len(SegmentationDataset("voc", miniature("voc", tmp_path), "trainaug")) == 6
    assert not drafts()


def test_a_real_dataset_of_that_name_is_never_touched(tiny, tmp_path):
    write_json(tmp_path / "cityscapes/years of work.json", 1)
    with pytest.raises(UsageError, match=r"E-TWIN a folder that is no miniature twin(.|\n)*cityscap"
                                         r"(.|\n)*--profile small, medium or full"):
        miniature("cityscapes", tmp_path)
    assert list(content(tmp_path / "cityscapes")) == ["years of work.json"]


def test_a_dataset_without_a_twin_is_refused(tmp_path):
    with pytest.raises(UsageError, match="E-TWIN dataset 'leaf' has no miniature twin(.|\n)*voc"):
        miniature("leaf", tmp_path)
