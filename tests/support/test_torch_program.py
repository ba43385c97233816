"""What a torch file would build is known, and refused, before torch builds it."""

import io
import time

import pytest
import torch
from torch_programs import TOO_MUCH, legacy, tensor, text, torch_zip, weights

from deeplab.support.errors import CheckpointError
from deeplab.support.torch_file import check_torch_file
from deeplab.weights.extract import extract_tensors
from deeplab.weights.files import WeightFile


@pytest.mark.parametrize("form", [torch_zip, legacy])
def test_a_program_as_torch_writes_it_gives_its_tensor(tmp_path, form):
    (tmp_path / "w.pth").write_bytes(form(weights(tensor())))
    assert WeightFile.read(tmp_path / "w.pth").tensors["weight"].tolist() == [1] * 4


@pytest.mark.parametrize("form", [torch_zip, legacy])
@pytest.mark.parametrize("found", TOO_MUCH)
def test_what_is_more_than_the_file_holds_is_refused_before_torch_sees_it(
        tmp_path, monkeypatch, found, form):
    def load(*given, **named):
        raise AssertionError("torch was given the file")

    monkeypatch.setattr(torch, "load", load)
    path = tmp_path / "w.pth"
    path.write_bytes(form(TOO_MUCH[found]))
    begin = time.process_time()
    for read in (WeightFile.read, lambda path: extract_tensors(path, tmp_path / "out")):
        with pytest.raises(CheckpointError, match=f"E-(WEIGHTS|CKPT)(?s:.*)found: .*{found}"):
            read(path)
    assert time.process_time() - begin < 5 and not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [
    {"model": {"a": torch.zeros(3, 4).T, "b": torch.zeros(5)[2:], "c": torch.zeros(0, 3)},
     "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(2)}}, "lr": 0.1, 3: (1, (2,))},
     "rng": [torch.get_rng_state()], "note": b"bytes", "more": {1, 2}, "raw": bytearray(b"x")},
    {"a": torch.nn.Parameter(torch.ones(2)), "b": torch.zeros(1).expand(9), "half":
     torch.zeros(3, dtype=torch.bfloat16), "c": torch.zeros(2, dtype=torch.complex64)},
    {"shared": [torch.zeros(1000)[:500]] * 3, "scalar": torch.tensor(3), "size": torch.Size([2])}])
@pytest.mark.parametrize("new", [True, False])
def test_what_torch_saves_passes(tmp_path, content, new):
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=new)
    check_torch_file(tmp_path / "w.pth")


def test_a_zip_file_with_bytes_before_or_behind_its_members_is_refused(tmp_path):
    whole = torch_zip(weights(tensor()))
    for content in (b"before" + whole, whole[:-2] + b"\6\0behind"):
        (tmp_path / "w.pth").write_bytes(content)
        with pytest.raises(CheckpointError, match="E-WEIGHTS(?s:.*)bytes around the members"):
            WeightFile.read(tmp_path / "w.pth")


def test_a_program_of_another_kind_of_pickle_is_told_from_damage(tmp_path):
    (tmp_path / "w.pth").write_bytes(torch_zip(weights(text("x") + b"0N")))  # POP
    with pytest.raises(CheckpointError, match="E-CKPT(?s:.*)not written by torch"):
        WeightFile.read(tmp_path / "w.pth")


def test_a_checkpoint_of_many_tensors_is_looked_at_in_a_moment(tmp_path):
    file = io.BytesIO()
    torch.save({f"layer{number}.weight": torch.zeros(2, 2) for number in range(2500)}, file)
    (tmp_path / "w.pth").write_bytes(file.getvalue())
    begin = time.process_time()
    check_torch_file(tmp_path / "w.pth")
    assert time.process_time() - begin < 2
