"""A checkpoint is whole, of this run, and one of two; anything else is noticed."""

import random
import shutil

import pytest
import torch
from torch_programs import LISTS, TOO_MUCH, torch_zip

from deeplab.support.errors import CheckpointError
from deeplab.support.files import read_json, sha256, write_json
from deeplab.training.checkpoint import Checkpoints, restore_training, training_state
from deeplab.training.ranks import SINGLE_PROCESS

IDENTITY = {"row_id": "voc_r50_d8", "seed": 0}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with the checkpoints of steps 10 and 20, and one of step 0 gone."""
    folder = tmp_path_factory.mktemp("saved")
    checkpoints = Checkpoints(folder, IDENTITY)
    for step in (5, 10, 20):
        checkpoints.save(step, {"model": {"weight": torch.arange(300.) + step}})
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "checkpoints")


def test_two_are_kept_and_the_newest_is_loaded(folder):
    assert sorted(path.name for path in folder.glob("step-*")) == ["step-0000010.pt",
                                                                   "step-0000020.pt"]
    state = Checkpoints(folder, IDENTITY).load()
    assert state["step"] == Checkpoints(folder, IDENTITY).newest == 20
    assert state["model"]["weight"][0] == 20


def test_without_any_there_is_nothing_to_load(tmp_path):
    assert Checkpoints(tmp_path, IDENTITY).load() is None
    assert Checkpoints(tmp_path, IDENTITY).newest == 0


def listed(folder, content):
    """`content` as the only checkpoint, with the digest that it has."""
    path = folder / "step-0000020.pt"
    path.write_bytes(content)
    write_json(folder / "checkpoints.json",
               [{"step": 20, "file": path.name, "sha256": sha256(path)}])


@pytest.mark.parametrize("found", TOO_MUCH)
def test_a_strangers_checkpoint_takes_no_more_than_it_is(folder, monkeypatch, found):
    listed(folder, torch_zip(TOO_MUCH[found]))
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(CheckpointError, match="E-CKPT this is no checkpoint(?s:.*)found: (EOF|Ch)"):
        Checkpoints(folder, IDENTITY).load()


def test_an_identity_of_lists_within_lists_is_told_by_its_type(folder):
    listed(folder, torch_zip(LISTS))
    with pytest.raises(CheckpointError, match="E-OTHER-RUN(?s:.*)row_id=list"):
        Checkpoints(folder, IDENTITY).load()


def test_300_flipped_bits_and_100_cuts_are_all_noticed(folder):
    rng, newest = random.Random(7), folder / "step-0000020.pt"
    whole = newest.read_bytes()
    for case in range(400):
        damaged = bytearray(whole)
        if case < 300:
            bit = rng.randrange(8 * len(whole))
            damaged[bit // 8] ^= 1 << bit % 8
        else:
            del damaged[rng.randrange(len(whole)):]
        newest.write_bytes(damaged)
        state = Checkpoints(folder, IDENTITY).load()
        assert state["step"] == 10 and state["model"]["weight"][0] == 10, (case, "seed 7")
        assert newest.with_suffix(".bad").read_bytes() == damaged and not newest.exists()


def test_a_missing_newest_one_is_noticed(folder):
    (folder / "step-0000020.pt").unlink()
    assert Checkpoints(folder, IDENTITY).load()["step"] == 10


def test_if_both_are_damaged_it_says_so(folder):
    for path in folder.glob("step-*.pt"):
        path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="E-CKPT no checkpoint of this run is whole"):
        Checkpoints(folder, IDENTITY).load()


@pytest.mark.parametrize("change", [{"row_id": "ade20k_r50_d8"}, {"seed": 1}, {"threads": 2}])
def test_one_of_another_run_is_refused_by_name(folder, change):
    name, value = next(iter(change.items()))
    with pytest.raises(CheckpointError, match=f"E-OTHER-RUN(.|\n)*expected: {name}={value}"):
        Checkpoints(folder, IDENTITY | change).load()


def test_saving_a_step_again_replaces_it(folder):
    checkpoints = Checkpoints(folder, IDENTITY)
    checkpoints.save(20, {"model": {"weight": torch.zeros(2)}})
    assert [entry["step"] for entry in checkpoints.entries()] == [10, 20]
    assert checkpoints.load()["model"]["weight"].shape == (2,)


def test_a_checkpoint_that_runs_code_is_not_loaded(folder):
    class Evil:
        def __reduce__(self):
            return print, ("run!",)

    path = folder / "step-0000020.pt"
    torch.save({"identity": Evil(), "step": 20}, path)
    write_json(folder / "checkpoints.json",
               [{"step": 20, "file": path.name, "sha256": sha256(path)}])
    with pytest.raises(CheckpointError, match="E-CKPT(?s:.*)found: UnpicklingError"):
        Checkpoints(folder, IDENTITY).load()


@pytest.mark.parametrize("change", [
    {"file": "../victim.pt"}, {"file": "/etc/passwd"}, {"file": "step-best.pt"}, {"step": -1},
    {"step": "20"}, {"step": True}, {"sha256": "0"}, {"sha256": None}, {"more": 1}])
def test_a_manifest_that_leads_elsewhere_is_refused_and_nothing_is_touched(folder, change):
    victim = folder.parent / "victim.pt"
    victim.write_bytes(b"mine")
    entries = read_json(folder / "checkpoints.json")
    write_json(folder / "checkpoints.json", [entries[0], entries[1] | change])
    with pytest.raises(CheckpointError, match="E-CKPT this is not a list of checkpoints"):
        Checkpoints(folder, IDENTITY).load()
    assert victim.read_bytes() == b"mine" and not list(folder.glob("*.bad"))


def test_files_that_the_manifest_does_not_name_stay(folder):
    (folder / "step-best.pt").write_bytes(b"mine")
    Checkpoints(folder, IDENTITY).save(30, {})
    assert sorted(path.name for path in folder.glob("step-*")) == [
        "step-0000020.pt", "step-0000030.pt", "step-best.pt"]


class Program:
    """What pickle would run while it loads."""

    def __reduce__(self):
        return print, ("RAN",)


@pytest.mark.parametrize("state", [
    [1], {"step": 20}, {"identity": IDENTITY}, {"identity": [], "step": 20},
    {"identity": IDENTITY, "step": 30}, {"identity": IDENTITY, "step": 20, "x": Program()},
    b"no torch file"])
def test_what_save_has_not_written_is_refused_even_with_the_right_digest(folder, capsys, state):
    newest = folder / "step-0000020.pt"
    if isinstance(state, bytes):
        newest.write_bytes(state)
    else:
        torch.save(state, newest)
    entries = read_json(folder / "checkpoints.json")
    entries[-1]["sha256"] = sha256(newest)
    write_json(folder / "checkpoints.json", entries)
    with pytest.raises(CheckpointError, match="E-CKPT this is no checkpoint of a training"):
        Checkpoints(folder, IDENTITY).load()
    assert newest.exists() and "RAN" not in capsys.readouterr().out


@pytest.mark.parametrize("part, value", [
    ("model", {"weight": torch.zeros(3)}), ("model", []), ("optimizer", {}), ("model", None),
    ("optimizer", {"state": {}, "param_groups": [1, 2, 3]})])
def test_a_state_of_another_network_is_refused(part, value):
    model = torch.nn.Linear(2, 2)
    parts = (model, torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu"))
    state = training_state(*parts, SINGLE_PROCESS, "cpu")
    restore_training(state, *parts, SINGLE_PROCESS, "cpu")
    with pytest.raises(CheckpointError, match="E-CKPT the state of a checkpoint is not that of"):
        restore_training(state | {part: value}, *parts, SINGLE_PROCESS, "cpu")
