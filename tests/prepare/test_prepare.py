"""From official archives to trees that the catalogue reads, whatever happens in between."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import stand_ins
from bad_server import serving_folder
from PIL import Image

from deeplab.data.catalog import DATASETS, SegmentationDataset, get_dataset
from deeplab.prepare import prepare as preparing
from deeplab.prepare.context import decode_runs
from deeplab.prepare.prepare import announce, prepare
from deeplab.prepare.sbd import read_mat, trainaug
from deeplab.prepare.sources import get_source, load_sources
from deeplab.support.errors import DataError, ResourceError, UsageError

SPLITS = {"voc": ("train", "trainaug", "val")}
quiet = {"say": lambda text: None}


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """`archives(name)`: a folder of stand-ins, known to the product as the official files."""

    def make(name, address=None):
        folder = stand_ins.write_stand_ins(name, tmp_path / "archives")
        source = stand_ins.stand_in_source(name, folder, address or "https://example.org")
        monkeypatch.setattr(preparing, "get_source", lambda asked: source)
        return folder

    return make


def expected_label(name, id, split):
    """The train ids of a stand-in's picture."""
    number = int("".join(filter(str.isdigit, id.split("_")[-1] if name == "ade20k" else
                                id.split("_")[1])))
    number = number - 1 + 100 * (split == "val") if name == "ade20k" else number
    if name == "cityscapes":
        number += 100 * (split == "val")
    elif name == "voc" and split == "val":
        number += stand_ins.TRAIN
    kind = "context" if name == "context59" else name
    return get_dataset(name).lookup[stand_ins.scene(kind, number)[1]]


@pytest.mark.parametrize("name", DATASETS)
def test_archives_become_the_tree_that_the_catalogue_reads(tmp_path, archives, name):
    folder = archives(name)
    prepare(name, tmp_path / "data", archives=folder, **quiet)
    for split in SPLITS.get(name, ("train", "val")):
        samples = SegmentationDataset(name, tmp_path / "data", split)
        assert len(samples) == {"val": 3, "train": 3 if name == "voc" else 9}.get(split, 9)
        for index, id in enumerate(samples.ids):
            image, label = samples[index]
            wanted = expected_label(name, id, split)
            same = (label == wanted) | (label == 255)
            assert image.shape == (*wanted.shape, 3) and same.all()
            assert (label == wanted).mean() > 0.9  # VOC's own labels have a border


def test_trainaug_is_voc_train_and_sbd_without_voc_val(tmp_path, archives):
    folder = archives("voc")
    prepare("voc", tmp_path / "data", archives=folder, **quiet)
    root = tmp_path / "data/VOCdevkit/VOC2012"
    ids = (root / "ImageSets/Segmentation/trainaug.txt").read_text().split()
    assert ids == [f"2008_{n:06d}" for n in range(9)]  # 000000 is VOC's alone, the rest SBD's
    assert not (root / "SegmentationClassAug/2008_000000.png").exists()
    assert (root / "SegmentationClassAug/2007_000000.png").exists()
    label = Image.open(root / "SegmentationClassAug/2008_000001.png")
    assert label.mode == "P" and label.getpalette()[3:6] == [128, 0, 0]


def test_set_arithmetic_gives_the_published_count():
    """VOC 2012: train 1,464 and val 1,449; SBD: 8,498 + 2,857; 10,582 images in all."""
    voc_train, voc_val, rest = range(1464), range(2000, 3449), range(5000, 5000 + 9118)
    sbd = [*rest, *voc_train[:1133], *voc_val[:1104]]
    assert len(sbd) == 8498 + 2857
    assert len(trainaug(voc_train=voc_train, voc_val=voc_val, sbd=sbd)) == 10_582


def test_context_lists_leave_the_test_images_out(tmp_path, archives):
    folder = archives("context")
    prepare("context", tmp_path / "data", archives=folder, **quiet)
    root = tmp_path / "data/VOCdevkit/VOC2010"
    assert not (root / "SegmentationClassContext/2008_900000.png").exists()
    assert len((root / "ImageSets/SegmentationContext/train.txt").read_text().split()) == 9


def test_run_lengths_equal_pycocotools():
    """Strings made by pycocotools 2.0 for masks that a formula gives."""
    small = np.zeros((5, 7), bool)
    small[1:4, 2:5], small[0, 6] = True, True
    assert (decode_runs({"size": [5, 7], "counts": ";320004NN"}) == small).all()
    big = np.add.outer(np.arange(60) ** 2, np.arange(90) ** 2) % 977 > 300
    text = stand_ins.runs(big)["counts"]
    assert text.startswith("b0>4KONOL`0;BKONOL`0;BKONOL`0;BKONOL?;DKNM0M>;DJONOM>;DJONOM=<EINO0L=<")
    assert len(text) == 745 and (decode_runs({"size": [60, 90], "counts": text}) == big).all()


def test_what_is_not_there_is_fetched(tmp_path, archives):
    folder = tmp_path / "archives"
    with serving_folder(folder) as address:
        archives("voc", address)
        prepare("voc", tmp_path / "data", local_http=True, **quiet)
    assert len(SegmentationDataset("voc", tmp_path / "data", "trainaug")) == 9
    assert (tmp_path / "data/downloads/benchmark.tgz").exists()


def test_a_second_time_nothing_is_done(tmp_path, archives):
    folder = archives("voc")
    prepare("voc", tmp_path / "data", archives=folder, **quiet)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    for path in folder.iterdir():
        path.unlink()
    prepare("voc", tmp_path / "data", archives=folder, **quiet)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    changed = {path.name for path in before if before[path] != after[path]}
    assert changed <= {".prepare.lock"}


@pytest.mark.parametrize("name", ["voc", "context"])
@pytest.mark.parametrize("broken", ["first folder", "derived labels"])
def test_an_interrupted_preparation_is_simply_started_again(tmp_path, archives, monkeypatch,
                                                            name, broken):
    folder = archives(name)
    real = preparing.unpack if broken == "first folder" else preparing._derive
    attribute = real.__name__

    def stopped(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(preparing, attribute, stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare(name, tmp_path / "data", archives=folder, **quiet)
    monkeypatch.setattr(preparing, attribute, real)
    prepare(name, tmp_path / "data", archives=folder, **quiet)
    assert len(SegmentationDataset(name, tmp_path / "data", "val")) == 3


def test_cityscapes_is_never_fetched(tmp_path, archives):
    assert all(archive.remote is None for archive in get_source("cityscapes").archives)
    with pytest.raises(DataError, match="E-FETCH leftImg8bit(?s:.*)register"):
        prepare("cityscapes", tmp_path / "data", **quiet)
    folder = archives("cityscapes")
    (folder / "gtFine_trainvaltest.zip").unlink()
    with pytest.raises(DataError, match="E-FETCH gtFine"):
        prepare("cityscapes", tmp_path / "data", archives=folder, **quiet)


def test_a_given_archive_is_checked_too(tmp_path, archives):
    folder = archives("ade20k")
    path = folder / "ADEChallengeData2016.zip"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match="E-HASH"):
        prepare("ade20k", tmp_path / "data", archives=folder, **quiet)
    assert not (tmp_path / "data/ADEChallengeData2016").exists()


def test_a_full_disk_is_told_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("", (), {"free": 10**9})())
    with pytest.raises(ResourceError, match=r"(?s)E-DISK.*1\.0 GB free.*about 5\.4 GB"):
        prepare("voc", tmp_path, **quiet)


def test_it_is_said_beforehand_what_comes_from_where(tmp_path):
    text = announce("context59", tmp_path)
    for part in ("PASCAL Context, 59 classes", "Flickr", "1.35 GB", "https://thor.robots",
                 "trainval_merged.json", "unpacked about 1.4 GB"):
        assert part in text
    assert "after registering" in announce("cityscapes", tmp_path)
    (tmp_path / "ADEChallengeData2016").mkdir()
    assert "done already" in announce("ade20k", tmp_path)


def test_every_published_address_is_https_and_every_file_has_a_checksum():
    for source in load_sources().values():
        for archive in source.archives:
            assert archive.url is None or archive.url.startswith("https://")
            assert archive.url is None or archive.url.endswith(archive.file)
            assert bool(archive.url) == bool(archive.checksum)


def test_a_dataset_of_ones_own_has_no_source():
    with pytest.raises(UsageError, match="E-SOURCE(?s:.*)verify leaf"):
        get_source("leaf")


@pytest.mark.parametrize("content", [
    b"", b"no matlab file", stand_ins.mat(np.full((3, 4), 21, np.uint8)),
    stand_ins.mat(np.zeros((3, 4))), stand_ins.mat(np.zeros((3, 4, 2), np.uint8)),
    stand_ins.mat(np.zeros((30, 40), np.uint8))[:150]])
def test_a_wrong_mat_file_is_refused(tmp_path, content):
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"E-MAT(?s:.*)x\.mat"):
        read_mat(tmp_path / "x.mat")


@pytest.mark.parametrize("change", [
    b"{}", b"[]", b"not json", b'{"images": [{"phase": "val"}], "annos_segmentation": []}',
    (b'"category_id": ', b'"category_id": 90'), (b'"size": [60', b'"size": [61'),
    (b'"counts": "', b'"counts": "0'), (b'"segmentation"', b'"polygon"')])
def test_annotations_of_another_form_are_refused(tmp_path, archives, change):
    folder = tmp_path / "archives"
    stand_ins.write_stand_ins("context", folder)
    path = folder / "trainval_merged.json"
    wrong = change if isinstance(change, bytes) else path.read_bytes().replace(*change)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(stand_ins.MAKERS, "context", lambda: stand_ins.context() | {
            "trainval_merged.json": wrong})
        archives("context")
    with pytest.raises(DataError, match="E-CONTEXT"):
        prepare("context", tmp_path / "data", archives=folder, **quiet)
    assert not (tmp_path / "data/VOCdevkit/VOC2010/SegmentationClassContext").exists()


def test_killed_while_unpacking_leaves_no_half_folder(tmp_path, archives):
    folder = archives("ade20k")
    code = ("import sys; from pathlib import Path; from deeplab.prepare.archives import unpack; "
            "import os; n = []; a, t = map(Path, sys.argv[1:]); "
            "unpack(a, t, below='ADEChallengeData2016', "
            "progress=lambda name: n.append(name) or len(n) > 5 and os.kill(os.getpid(), 9))")
    target = tmp_path / "data/ADEChallengeData2016"
    target.parent.mkdir()
    killed = subprocess.run([sys.executable, "-c", code, str(folder / "ADEChallengeData2016.zip"),
                             str(target)], env=os.environ)
    assert killed.returncode == -9 and not target.exists()
    prepare("ade20k", tmp_path / "data", archives=folder, **quiet)
    assert [path.name for path in Path(tmp_path / "data").glob(".tmp*")] == []
