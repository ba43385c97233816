"""Datasets of strangers: read or refused with a code, and no file outside is touched or told."""

import json

import hostile_entries as hostile
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from dataset_trees import save
from lively import lively_state
from sentinel import digest, plant, told

from deeplab.cli.main import main
from deeplab.data.catalog import SegmentationDataset
from deeplab.runs import run_row
from deeplab.support.errors import DeeplabError

CASES = hostile.PATHS | hostile.TEXTS | hostile.FILES | hostile.ENTRIES
CODES = {0, 2, 3, 4, 5}  # done, entry, data, weights, link


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights for three classes that say nothing of their dataset."""
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPLAB_DATASETS", str(folder))
        (folder / "leaf.json").write_text(json.dumps(hostile.ENTRY))
        torch.save(lively_state("leaf_r50_d16", "small"), folder / "w.pt")
    return folder / "w.pt"


@pytest.fixture
def invoke(monkeypatch):
    """Commands, whose runs open the data and read all of them in place of a training."""
    def execute(notebook, draft, parameters, *, folder):
        for split in ("train", "val"):
            samples = SegmentationDataset("leaf", parameters["data_root"], split)
            for index in range(len(samples)):
                samples[index]
        raise DeeplabError.of("E-STARTED", "the data were read")
    monkeypatch.setattr(run_row, "execute", execute)

    def call(*words):
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert isinstance(done.exception, (SystemExit, type(None))), (words, done.exception)
        assert told([done.output]) == [], words
        assert all(line.isprintable() for line in done.output.split("\n")), done.output
        return done
    return call


def test_more_than_a_hundred_datasets_are_tried():
    assert len(CASES) >= 100


@pytest.fixture
def attacked(tmp_path, monkeypatch, invoke):
    """`attacked(name, *commands)`: a case is set up and the commands run; returns their codes."""
    outside, data, entries = (tmp_path / part for part in ("outside", "data", "entries"))
    monkeypatch.setenv("DEEPLAB_DATASETS", str(entries))
    entries.mkdir()
    plant(outside)
    hostile.sound(data / "leaf")
    entry = json.loads(json.dumps(hostile.ENTRY))

    def attack(name, *commands):
        if name in hostile.ENTRIES:
            hostile.ENTRIES[name](entries / "leaf.json", outside)
        else:
            CASES[name](entry, data / "leaf", outside)
            (entries / "leaf.json").write_text(json.dumps(entry))
        before, codes = digest(outside), [invoke(*words).exit_code for words in commands]
        assert digest(outside) == before
        assert told(path for folder in ("results", "out", "data") for path in
                    (tmp_path / folder).rglob("*") if path.is_file()
                    and path.resolve().is_relative_to(tmp_path / folder)) == []
        return codes
    return attack


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_dataset_is_read_or_refused_and_nothing_else_is_touched(
        tmp_path, attacked, name):
    root, results = ["--data-root", tmp_path / "data"], ["--results", tmp_path / "results"]
    verified, packed, run, status = attacked(
        name, ["data", "verify", "leaf", *root], ["data", "pack", "leaf", *root],
        ["run", "leaf_r50_d16", "--profile", "small", *root, *results],
        ["status", "--profile", "small", *results])
    assert {verified, packed, status} <= CODES and run in CODES | {1}  # 1: its notebook began
    assert len({code == 2 for code in (verified, packed, run)}) == 1  # all refuse an entry, or none
    if name in hostile.ENTRIES:
        assert verified in (2, 3)


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=() if number % 20 == 0 else pytest.mark.slow)
    for number, name in enumerate(CASES)])
def test_weights_are_used_on_it_or_it_is_refused(tmp_path, attacked, weights, name):
    photo = save(tmp_path / "photo.png", np.zeros((6, 9, 3)))
    words = ["--weights", weights, "--profile", "small"]
    codes = attacked(
        name, ["evaluate", "leaf_r50_d16", *words, "--data-root", tmp_path / "data",
               "--results", tmp_path / "results"],
        ["predict", photo, *words, "--row", "leaf_r50_d16", "--out", tmp_path / "out"])
    assert set(codes) <= CODES
