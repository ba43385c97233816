"""Exported networks agree with their source, or there is no file."""

import pytest
import torch
from torch import nn

from deeplab.model.network import Logits
from deeplab.support.errors import CheckpointError, UsageError
from deeplab.table.rows import get_row
from deeplab.weights import export
from deeplab.weights.export import convert_file, export_model


class Tiny(nn.Module):
    """A network of one convolution, with the interface of the real one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(3, 5, 3, stride=8)

    def forward(self, image):
        return Logits(self.convolution(image), None)


def test_a_torch_export_runs_without_the_package_and_agrees(tmp_path):
    path = tmp_path / "network.pt2"
    assert export_model(Tiny(), path, height=40, width=56) < 1e-5
    image = torch.randn(1, 3, 40, 56)
    logits = torch.export.load(path).module()(image)
    expected = nn.functional.interpolate(Tiny()(image).main, (40, 56), mode="bilinear",
                                         align_corners=False)
    torch.testing.assert_close(logits, expected)


def test_onnx_agrees_where_it_is_installed(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    assert export_model(Tiny(), tmp_path / "network.onnx", height=40, width=56) < 1e-4


def test_without_onnx_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"E-FORMAT ONNX is not installed(?s:.*)\[export\]"):
        export_model(Tiny(), tmp_path / "network.onnx", height=40, width=56)


def test_an_export_that_disagrees_is_refused_and_leaves_no_file(tmp_path, monkeypatch):
    real = export._torch_export

    def lying(deployed, image):
        content, run = real(deployed, image)
        return content, lambda image: run(image) + 0.1

    monkeypatch.setattr(export, "_torch_export", lying)
    with pytest.raises(CheckpointError, match="E-EXPORT(?s:.*)a difference of 1.00e-01"):
        export_model(Tiny(), tmp_path / "network.pt2", height=40, width=56)
    assert list(tmp_path.iterdir()) == []


def test_other_formats_and_schemes_are_refused(tmp_path):
    with pytest.raises(UsageError, match="E-FORMAT no such export format"):
        export_model(Tiny(), tmp_path / "network.tflite", height=40, width=56)
    with pytest.raises(UsageError, match="E-SCHEME"):
        convert_file(tmp_path / "a", tmp_path / "b", get_row("voc_r50_d8"), scheme="caffe")
