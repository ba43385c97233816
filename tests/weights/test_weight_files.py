"""Files that are whole, cut, flipped, hostile or somebody else's."""

import os
import pickle
import random

import pytest
import safetensors.torch
import torch

from deeplab.support.errors import CheckpointError
from deeplab.table.rows import load_rows
from deeplab.weights.files import WeightFile, load_weights, save_weights

ROWS = load_rows()
WEIGHTS = {"conv.weight": torch.arange(4000.0).view(10, 400), "bn.num_batches_tracked":
           torch.tensor(3)}


class Payload:
    """Pickles as a call that creates the canary file."""

    def __init__(self, canary, function=os.system):
        self.call = function, (f"touch {canary}",)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("wrap", [dict, lambda w: {"model": w}, lambda w: {"state_dict": w}])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_torch_file_gives_its_tensors_back(tmp_path, wrap, legacy):
    path = tmp_path / "weights.pth"
    torch.save(wrap(WEIGHTS), path, _use_new_zipfile_serialization=not legacy)
    assert all(torch.equal(value, WEIGHTS[key]) for key, value in load_weights(path).items())
    assert (WeightFile.read(path).row_id, WeightFile.read(path).profile) == (None, None)


def test_our_file_gives_its_tensors_row_and_profile_back(tmp_path):
    path = save_weights(tmp_path / "weights.safetensors", WEIGHTS, row_id="voc_r50_d8",
                        profile="demo")
    file = WeightFile.read(path)
    assert file.tensors.keys() == WEIGHTS.keys()
    assert all(torch.equal(file.tensors[key], WEIGHTS[key]) for key in WEIGHTS)
    assert (file.row_id, file.profile) == ("voc_r50_d8", "demo")


def test_a_training_checkpoint_says_in_its_identity_whose_it_is(tmp_path):
    path = tmp_path / "step-9.pt"
    torch.save({"model": WEIGHTS, "identity": {"row_id": "voc_r50_d8", "profile": "small"}}, path)
    file = WeightFile.read(path)
    assert (file.row_id, file.profile) == ("voc_r50_d8", "small")
    with pytest.raises(CheckpointError, match="E-CKPT(?s:.*)row voc_r50_d8"):
        file.check_row(ROWS["voc_r50_d16"])


def test_safetensors_are_known_by_content_and_not_by_name(tmp_path):
    path = tmp_path / "weights.pth"
    safetensors.torch.save_file(WEIGHTS, path)
    assert load_weights(path).keys() == WEIGHTS.keys()


@pytest.mark.parametrize("fmt", ["torch", "legacy", "safetensors"])
def test_a_file_cut_anywhere_is_refused(tmp_path, fmt):
    path = tmp_path / "weights.bin"
    if fmt == "safetensors":
        save_weights(path, WEIGHTS, row_id="voc_r50_d8", profile="full")
    else:
        torch.save(WEIGHTS, path, _use_new_zipfile_serialization=fmt == "torch")
    whole = path.read_bytes()
    for share in range(20):
        path.write_bytes(whole[:len(whole) * share // 20])
        with pytest.raises(CheckpointError, match=r"E-CKPT.*\n.*weights\.bin") as caught:
            load_weights(path)
        assert "do:" in str(caught.value)


def test_a_flipped_bit_in_a_torch_file_never_changes_a_weight(tmp_path):
    """torch alone reads most of these files without a word, wrong numbers and all."""
    path = tmp_path / "weights.pth"
    torch.save(WEIGHTS, path)
    whole = path.read_bytes()
    draw = random.Random(0)
    refused = 0
    for _ in range(100):
        flipped = bytearray(whole)
        flipped[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        try:
            read = load_weights(path)
        except CheckpointError:
            refused += 1
        else:
            assert read.keys() == WEIGHTS.keys()
            assert all(torch.equal(read[key], WEIGHTS[key]) for key in WEIGHTS)
    assert refused > 90


@pytest.mark.parametrize("content", [b"", b"x", b"<!DOCTYPE html><html>404</html>", b"PK\x03\x04",
                                     b"\xff" * 8 + b"{" + b"a" * 50,
                                     random.Random(0).randbytes(2000)],
                         ids=["empty", "short", "html", "zip", "header", "noise"])
def test_something_else_than_weights_is_refused(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"E-CKPT.*\n.*file: .*weights\.pth.*") as caught:
        load_weights(path)
    assert "weights_only" not in str(caught.value)  # torch's advice to load it unsafely


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("function", [os.system, eval, exec, __import__])
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle0", "pickle2", "pickle5"])
def test_code_in_a_file_is_named_and_never_run(tmp_path, function, form):
    canary, path = tmp_path / "canary", tmp_path / "weights.pth"
    content = {"model": {"conv.weight": Payload(canary, function)}}
    if form.startswith("pickle"):
        path.write_bytes(pickle.dumps(content, protocol=int(form[-1])))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(CheckpointError, match=r"(?s)E-(PICKLE|CKPT).*weights\.pth") as caught:
        load_weights(path)
    if form in ("zip", "legacy"):
        assert caught.value.code == "E-PICKLE"
        assert function.__name__ in str(caught.value)
        assert "weights_only" not in str(caught.value)
    assert not canary.exists()


@pytest.mark.filterwarnings("ignore")  # torch.jit is deprecated, its files are still about
def test_a_torchscript_program_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    torch.jit.script(torch.nn.ReLU()).save(path)
    with pytest.raises(CheckpointError, match="E-PICKLE.*TorchScript"):
        load_weights(path)


def test_an_object_that_is_not_a_tensor_is_refused(tmp_path):
    path = tmp_path / "model.pth"
    torch.save(torch.nn.Conv2d(1, 1, 1), path)
    with pytest.raises(CheckpointError, match=r"E-PICKLE.*Conv2d"):
        load_weights(path)
    for content in ([torch.zeros(1)], {"epoch": 3}, {"a": {"b": torch.zeros(1)}}, torch.zeros(1)):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match=r"E-WEIGHTS.*no weights"):
            load_weights(path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_key(tmp_path, bad):
    path = tmp_path / "weights.pth"
    torch.save(WEIGHTS | {"bn.bias": torch.tensor([0.0, bad])}, path)
    with pytest.raises(CheckpointError, match=r"E-WEIGHTS(?s:.*)found: bn.bias"):
        load_weights(path)


def test_a_missing_file_is_an_error_with_its_path(tmp_path):
    with pytest.raises(CheckpointError, match=r"E-CKPT cannot open(?s:.*)nowhere\.pth"):
        load_weights(tmp_path / "nowhere.pth")


def test_a_published_file_passes_for_its_own_row_only(tmp_path):
    passed = 0
    for owner in ROWS.values():
        path = tmp_path / owner.published_weights
        torch.save(WEIGHTS, path)
        file = WeightFile.read(path)
        for row in ROWS.values():
            if row is owner:
                file.check_row(row)
                passed += 1
            else:
                with pytest.raises(CheckpointError, match=f"expected: {row.published_weights}"):
                    file.check_row(row)
    assert passed == 16


def test_a_file_that_says_nothing_of_its_row_passes(tmp_path):
    torch.save(WEIGHTS, tmp_path / "my_run.pth")
    WeightFile.read(tmp_path / "my_run.pth").check_row(ROWS["voc_r50_d8"])
    safetensors.torch.save_file(WEIGHTS, tmp_path / "my_run.safetensors")
    WeightFile.read(tmp_path / "my_run.safetensors").check_row(ROWS["voc_r50_d8"])
