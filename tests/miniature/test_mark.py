"""A drawn picture is known wherever it lies, and stands for no photograph."""

import shutil

import pytest

from deeplab.data.catalog import SegmentationDataset
from deeplab.miniature.mark import is_drawn
from deeplab.miniature.twins import miniature
from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.support.errors import DataError


@pytest.mark.parametrize("name", ["voc", "cityscapes"])
def test_every_drawn_picture_bears_the_mark(name):
    samples = SegmentationDataset(name, miniature(name), "val")
    assert all(is_drawn(samples.image_path(index)) for index in range(len(samples)))
    assert not is_drawn(samples.label_path(0))


@pytest.mark.parametrize("profile", ["small", "medium", "full"])
@pytest.mark.parametrize("is_copy", [False, True])
def test_a_twin_or_a_copy_without_its_stamp_is_no_real_dataset(tmp_path, profile, is_copy):
    root = miniature("voc")
    if is_copy:
        shutil.copytree(root / "VOCdevkit", tmp_path / "VOCdevkit")
        root = tmp_path
    config = RunConfig.of(row_id="voc_r50_d8", profile=profile, data_root=str(root), processes=1)
    with pytest.raises(DataError, match="E-DRAWN(.|\n)*--data-root(.|\n)*--profile demo"):
        _ = Experiment(config).eval_set
