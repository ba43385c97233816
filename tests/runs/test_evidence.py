"""A run leaves the counts that its score was added up from, and pictures of the same images."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file
from small_table import config_of, draw_twins

from deeplab.evaluation.metrics import counted_iou
from deeplab.runs.evidence import (COUNTS, PICTURES, SHOWN, read_counts, save_evidence, spread)
from deeplab.runs.experiment import Experiment
from deeplab.support.errors import DataError


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """An experiment whose untrained network was evaluated and left its evidence."""
    folder = tmp_path_factory.mktemp("evidence")
    experiment = Experiment(config_of("voc_r50_d16", folder, draw_twins(folder / "data", ["voc"])))
    evaluation = experiment.evaluate(experiment.model)
    save_evidence(experiment, evaluation, experiment.model)
    return experiment, evaluation


def test_the_counts_add_up_to_the_score(left):
    experiment, evaluation = left
    found = read_counts(experiment.config.folder / COUNTS)
    assert found.ids == experiment.eval_set.ids and found.counts.dtype == np.int64
    iou = counted_iou(torch.from_numpy(found.counts.sum(0)))
    assert 100 * iou.nanmean().item() == evaluation.mean_iou
    assert np.array_equal(found.counts[:, 0].sum(0), evaluation.confusion.diagonal().numpy())


def test_the_pictures_are_image_label_and_prediction(left):
    experiment, _ = left
    folder = experiment.config.folder / PICTURES
    assert len([*folder.iterdir()]) == 3 * len(experiment.eval_set)
    image, label = experiment.eval_set[1]
    assert np.array_equal(np.asarray(Image.open(folder / "1-label.png")), label)
    assert np.array_equal(np.asarray(Image.open(folder / "1-prediction.png")),
                          experiment.predict(experiment.model, 1))
    apart = np.abs(np.asarray(Image.open(folder / "1-image.jpg")).astype(int) - image)
    assert apart.mean() < 10  # JPEG loses a little


@pytest.mark.parametrize("count, numbers", [
    (0, []), (3, [0, 1, 2]), (SHOWN, [*range(SHOWN)]), (80, [*range(0, 80, 10)])])
def test_pictures_are_spread_over_the_split(count, numbers):
    assert spread(count) == numbers


ONES = np.ones((2, 3), np.int32)


@pytest.mark.parametrize("tensors, ids", [
    ({"hit": ONES, "truth": ONES}, ["a", "b"]), ({"hit": ONES, "truth": ONES,
                                                  "predicted": ONES}, ["a"]),
    (dict.fromkeys(("hit", "truth", "predicted"), ONES), None),
    (dict.fromkeys(("hit", "truth", "predicted"), ONES), [1, 2]),
    ({"hit": 2 * ONES, "truth": ONES, "predicted": 3 * ONES}, ["a", "b"]),
    (dict.fromkeys(("hit", "truth", "predicted"), -ONES), ["a", "b"]),
    (dict.fromkeys(("hit", "truth", "predicted"), ONES.astype(np.float32)), ["a", "b"])])
def test_counts_that_cannot_be_are_refused(tmp_path, tensors, ids):
    save_file(tensors, tmp_path / COUNTS, metadata={"ids": json.dumps(ids)})
    with pytest.raises(DataError, match="E-COUNTS"):
        read_counts(tmp_path / COUNTS)


def test_what_is_no_file_of_counts_is_refused(tmp_path):
    (tmp_path / COUNTS).write_bytes(b"\xff" * 100)
    for path in (tmp_path / COUNTS, tmp_path, tmp_path / "nothing"):
        with pytest.raises(DataError, match="E-COUNTS"):
            read_counts(path)
