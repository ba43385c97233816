"""What comes with the package is known to the byte, and read as nothing else."""

import shutil

import pytest

from deeplab.course import quick
from deeplab.miniature import backbone
from deeplab.support.errors import CheckpointError
from deeplab.weights.shipped import SHA256, read_shipped

FOLDERS = (backbone.SHIPPED, quick.SHIPPED)


def test_every_file_that_comes_with_the_package_is_known_and_none_is_missing():
    files = [path for folder in FOLDERS for path in folder.iterdir()]
    assert {path.name for path in files} == SHA256.keys()
    assert all(read_shipped(path).tensors for path in files)


def test_a_changed_file_is_refused_wherever_it_is_used(tmp_path, monkeypatch):
    for module, folder in ((backbone, "one"), (quick, "two")):
        shutil.copytree(module.SHIPPED, tmp_path / folder)
        monkeypatch.setattr(module, "SHIPPED", tmp_path / folder)
        for path in (tmp_path / folder).iterdir():
            path.write_bytes(path.read_bytes()[:-1] + b"\1")
    for use in (lambda: backbone.miniature_backbone("resnet50"),
                lambda: backbone.miniature_backbone("resnet101"),
                lambda: quick.trained_demo_model("voc_r50_d16", steps=340)):
        with pytest.raises(CheckpointError, match="E-CKPT a file of this package is not as it was"):
            use()
