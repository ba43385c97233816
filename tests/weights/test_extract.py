"""Tensors come out of training checkpoints; nothing in them runs, whatever they name."""

import os
import sys
import types

import pytest
import torch

from deeplab.support.errors import CheckpointError
from deeplab.weights.extract import extract_tensors
from deeplab.weights.files import load_weights

WEIGHTS = {"conv.weight": torch.arange(12.0).view(3, 4), "bn.num_batches_tracked": torch.tensor(3)}


class History:
    """Stands for mmengine's HistoryBuffer: made by a call, with a state of its own."""

    ran = []

    def __init__(self, values=()):
        self.values = list(values)
        self.ran.append(1)

    def __reduce__(self):
        return History, (self.values,), {"more": 1}


class Payload:
    def __init__(self, canary):
        self.call = os.system, (f"touch {canary}",)

    def __reduce__(self):
        return self.call


@pytest.fixture
def foreign(monkeypatch):
    """`History` as a class of another program's module, which is gone when the file is read."""
    module = types.ModuleType("training_program")
    module.History = History
    monkeypatch.setattr(History, "__module__", "training_program")
    monkeypatch.setitem(sys.modules, "training_program", module)
    return module


@pytest.mark.parametrize("wrap", [
    lambda extra: {"state_dict": WEIGHTS, "message_hub": extra, "epoch": 3},
    lambda extra: {"model": {f"module.{key}": value for key, value in WEIGHTS.items()},
                   "args": [extra, {"deep": extra}]}])
def test_the_weights_of_a_training_checkpoint_come_out_alone(tmp_path, foreign, monkeypatch, wrap):
    torch.save(wrap(History([1, 2])), tmp_path / "epoch_3.pth")
    monkeypatch.delitem(sys.modules, "training_program")
    History.ran.clear()
    with pytest.raises(CheckpointError, match="E-PICKLE(.|\n)*History"):
        load_weights(tmp_path / "epoch_3.pth")
    count, left = extract_tensors(tmp_path / "epoch_3.pth", tmp_path / "out.safetensors")
    assert (count, left) == (2, ["training_program.History"]) and History.ran == []
    read = load_weights(tmp_path / "out.safetensors")
    assert all(torch.equal(read[key], WEIGHTS[key]) for key in WEIGHTS)


@pytest.mark.parametrize("where", ["weights", "beside"])
def test_a_payload_does_not_run_and_nothing_is_written(tmp_path, where):
    payload, canary = Payload(tmp_path / "canary"), tmp_path / "canary"
    torch.save({"state_dict": WEIGHTS | ({"x": payload} if where == "weights" else {}),
                "other": payload}, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match="E-(PICKLE|CKPT|WEIGHTS)"):
        extract_tensors(tmp_path / "bad.pth", tmp_path / "out.safetensors")
    assert not canary.exists() and not (tmp_path / "out.safetensors").exists()


def test_a_folder_a_pipe_and_noise_are_refused(tmp_path):
    (tmp_path / "noise").write_bytes(os.urandom(500))
    os.mkfifo(tmp_path / "pipe")
    for name in ("noise", "pipe", ".", "nowhere"):
        with pytest.raises(CheckpointError, match="E-"):
            extract_tensors(tmp_path / name, tmp_path / "out.safetensors")
