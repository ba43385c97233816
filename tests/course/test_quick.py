"""The experiments of lessons run anywhere, and their network is the table's."""

import csv

import pytest
import torch

from deeplab.course.quick import demo_experiment, shipped_file, trained_demo_model
from deeplab.support.folders import PROJECT

SHIPPED = "voc_r50_d16"


def test_a_lesson_stays_on_the_cpu_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    experiment = demo_experiment("voc_r50_d16")
    assert experiment.device == experiment.settings.device == "cpu"
    assert experiment.settings.workers == 0


def test_the_network_that_comes_with_the_package_scores_what_the_committed_table_says():
    """Two machines round differently, and a point is what that makes of 340 steps."""
    with open(PROJECT / "results" / "example" / "table.csv", encoding="utf-8") as file:
        (wanted,) = (float(row["miou"]) for row in csv.DictReader(file)
                     if row["row_id"] == SHIPPED)
    experiment = demo_experiment(SHIPPED)
    assert shipped_file(SHIPPED, steps=experiment.settings.total_steps).is_file()
    model = trained_demo_model(SHIPPED, steps=340)
    assert next(model.parameters()).dtype == torch.float32 and not model.training
    assert experiment.evaluate(model).mean_iou == pytest.approx(wanted, abs=1.5)


def test_another_length_or_seed_is_not_the_shipped_network():
    assert not shipped_file(SHIPPED, steps=120).exists()
    assert not shipped_file(SHIPPED, steps=340, seed=1).exists()
