"""Whatever the bytes of a weight file, tensors come out or an error of ours, and no code runs."""

import io
import time

import pytest
import safetensors.torch
import torch
from mutate import mutations

from deeplab.support.errors import CheckpointError
from deeplab.weights.files import WeightFile

TENSORS = {"backbone.conv1.weight": torch.arange(96.0).reshape(8, 3, 2, 2),
           "backbone.bn1.running_var": torch.ones(8), "classifier.bias": torch.zeros(5)}


def saved(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


@pytest.mark.parametrize(("name", "seed"), [
    ("safetensors", safetensors.torch.save(TENSORS, {"row": "voc_r50_d8", "profile": "demo"})),
    ("torch", saved({"model": TENSORS, "identity": {"row_id": "voc_r50_d8"}})),
    ("legacy", saved(TENSORS, _use_new_zipfile_serialization=False))], ids=lambda value: value
    if isinstance(value, str) else "")
@pytest.mark.filterwarnings("ignore")
def test_mutated_weight_files_give_tensors_or_an_error_of_ours(tmp_path, name, seed):
    path = tmp_path / "w"
    path.write_bytes(seed)
    assert WeightFile.read(path).tensors.keys() == TENSORS.keys()
    for content in mutations(seed, name):
        path.write_bytes(content)
        begin = time.monotonic()
        try:
            WeightFile.read(path)
        except CheckpointError as error:
            assert str(path) in str(error)
        assert time.monotonic() - begin < 5
