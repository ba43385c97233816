"""Packed samples are those of the files, to the byte, or refused."""

import os
import pickle

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from deeplab.cli.data import data
from deeplab.data.augment import TrainTransform
from deeplab.data.catalog import DATASETS, SegmentationDataset
from deeplab.data.sampling import TrainSamples
from deeplab.prepare.verify import verify
from deeplab.support.errors import DataError


@pytest.fixture
def tree(make_tree):
    """A VOC of three images of different sizes."""
    tree = make_tree("voc")
    rng = np.random.default_rng(0)
    for index, size in enumerate([(6, 9), (13, 8), (21, 34)]):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(tree.image(f"n{index}"))
        Image.fromarray(rng.integers(0, 21, size, np.uint8)).save(tree.label(f"n{index}"))
    tree.list("train", "n2", "n0", "n1")
    return tree


def opened(tree, **options):
    return SegmentationDataset("voc", tree.root, "train", **options)


def test_a_pack_holds_the_samples_of_the_files_to_the_byte(tree):
    files = opened(tree)
    assert files.packed is None
    before = [files[index] for index in range(3)]
    size = opened(tree).pack().stat().st_size
    packed = opened(tree)
    assert packed.packed is not None and size > 4 * (6 * 9 + 13 * 8 + 21 * 34)
    for found in (packed, pickle.loads(pickle.dumps(packed))):
        for index, wanted in enumerate(before):
            for one, other in zip(found[index], wanted, strict=True):
                assert one.dtype == other.dtype and not one.flags.writeable
                np.testing.assert_array_equal(one, other)


def test_nothing_but_the_pack_is_read_and_training_samples_are_the_same(tree, monkeypatch):
    transform = TrainTransform(target=(20, 16), crop_height=12, crop_width=12)
    wanted = [TrainSamples(opened(tree), transform, 1)[0, index] for index in range(3)]
    opened(tree).pack()
    packed = TrainSamples(opened(tree), transform, 1)
    monkeypatch.setattr("deeplab.data.catalog.read_image", None)
    for index, sample in enumerate(wanted):
        assert all((one == other).all() for one, other in zip(packed[0, index], sample))


def test_workers_do_not_receive_the_data(tree):
    opened(tree).pack()
    packed = opened(tree)
    packed[0]
    assert "data" in vars(packed.packed.blocks)
    assert "data" not in vars(pickle.loads(pickle.dumps(packed.packed)).blocks)


def change_image(tree):
    tree.image("n0").write_bytes(tree.image("n0").read_bytes() + b"0")


def touch_label(tree):
    os.utime(tree.label("n1"), ns=(0, 1))


def drop_one(tree):
    tree.list("train", "n2", "n0")


def change_order(tree):
    tree.list("train", "n0", "n2", "n1")


@pytest.mark.parametrize("change, found", [
    (change_image, "3 samples, 1 of them changed"), (touch_label, "3 samples, 1 of them changed"),
    (drop_one, "expected: 2 samples"), (change_order, "3 samples, 2 of them changed")])
def test_a_pack_of_other_files_is_refused_until_it_is_made_again(tree, change, found):
    opened(tree).pack()
    change(tree)
    with pytest.raises(DataError, match=rf"E-PACK(.|\n)*train\.pack(.|\n)*{found}(.|\n)*data pack"):
        opened(tree)
    opened(tree, use_pack=False).pack()
    assert opened(tree).packed is not None


def test_another_label_map_refuses_the_pack(tree):
    opened(tree).pack()
    other = DATASETS["voc"].without("background", name="voc", title="VOC without background")
    with pytest.raises(DataError, match="E-PACK"):
        SegmentationDataset(other, tree.root, "train")


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_a_damaged_pack_is_refused(tree, keep):
    path = opened(tree).pack()
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="E-PACK a pack that is damaged, cut short or of"):
        opened(tree)


def test_a_changed_byte_of_a_sample_is_refused_when_it_is_read_and_others_are_not(tree):
    path = opened(tree).pack()
    content = bytearray(path.read_bytes())
    content[4 * 21 * 34 + 5] ^= 1  # in the second sample
    path.write_bytes(content)
    packed = opened(tree)
    assert packed[0][0].shape == (21, 34, 3) and packed[2][0].shape == (13, 8, 3)
    with pytest.raises(DataError, match=r"E-PACK a pack that is damaged(.|\n)*of block 1"):
        packed[1]


def test_verify_reads_the_files_and_not_the_pack(tree):
    for split, ids in (("trainaug", ("n0", "n1")), ("val", ("a_0001", "b_0002"))):
        tree.list(split, *ids)
        path = SegmentationDataset("voc", tree.root, split).pack()
        path.write_bytes(b"")
    assert not verify("voc", tree.data_root, part=True).problems


def test_the_command_packs_every_split_or_those_named(tree):
    tree.list("val", "n1")
    tree.list("trainaug", "n1")
    options = ["pack", "voc", "--data-root", str(tree.data_root)]
    result = CliRunner().invoke(data, [*options, "--split", "train"])
    assert result.exit_code == 0 and "voc-train.pack  3 samples, 0.0 GB" in result.output
    result = CliRunner().invoke(data, options)
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tree.root / "packed").iterdir()} >= {
        "voc-trainaug.pack", "voc-val.pack"}


def test_packs_of_data_that_cannot_be_written_lie_elsewhere(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEEPLAB_PACKS", "packs")
    words = "pack", "voc", "--data-root", str(tree.root), "--split", "train"
    done = CliRunner().invoke(data, words)
    assert done.exit_code == 0 and str(tmp_path / "packs/voc-train.pack") in done.output
    assert opened(tree).packed.blocks.path == tmp_path / "packs/voc-train.pack"
    assert not (tree.root / "packed").exists()
    monkeypatch.delenv("DEEPLAB_PACKS")
    assert opened(tree).packed is None
