"""Rows that share a training: trained once, evaluated each in its own way, and never mixed up."""

import json
import shutil

import pytest
import torch
from small_table import config_of, draw_twins, in_child, quick_rows

from deeplab.report.results import collect
from deeplab.runs.experiment import Experiment
from deeplab.runs.run_row import run_row
from deeplab.support.errors import UsageError
from deeplab.support.scores import rounded
from deeplab.training.checkpoint import Checkpoints

ROW, TRAINED = "paper_t6_scales", "paper_t5_mg124_image"


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    return draw_twins(tmp_path_factory.mktemp("data"), names=["voc"])


def run(config):
    def quickly():
        quick_rows()
        run_row(config)
    return in_child(quickly)


def result(config):
    return json.loads((config.folder / "result.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(data_root, tmp_path_factory):
    """The run of a row that shares its training, alone asked for, at its end."""
    config = config_of(ROW, tmp_path_factory.mktemp("results"), data_root)
    assert config.training.row_id == TRAINED and config.training.folder != config.folder
    assert run(config) == 0
    return config


def test_the_other_row_is_brought_to_its_end_and_evaluated_anew(finished):
    own, other = result(finished), result(finished.training)
    assert own["complete"] and other["complete"]
    assert (own["row_id"], own["scales"]) == (ROW, [0.5, 0.75, 1.0, 1.25, 1.5, 1.75])
    assert (other["row_id"], other["scales"]) == (TRAINED, [1.0])
    assert not (finished.folder / "checkpoints").exists()
    assert not (finished.folder / "log.jsonl").exists()
    assert own["minutes"] < other["minutes"]


def test_it_evaluates_the_weights_of_that_training_at_its_own_scales(finished):
    def evaluated():
        quick_rows()
        seen = []
        experiment = Experiment(config_of(ROW, finished.results_root, finished.data_root))
        judge = experiment.evaluate
        experiment.evaluate = lambda model: seen.append(model) or judge(model)
        outcome = experiment._evaluate_shared()
        state = Checkpoints(finished.training.folder / "checkpoints", {}).load()["model"]
        assert all(torch.equal(value, state[key]) for key, value in seen[0].state_dict().items())
        assert outcome.complete and rounded(outcome.evaluation.mean_iou) == result(finished)["miou"]
        assert [line["step"] for line in outcome.log if "miou" in line] == [8]
        assert len(finished.inference.scales) == 6
    assert in_child(evaluated) == 0


def test_what_is_done_is_left_alone_by_the_same_command(finished):
    before = {path: path.stat().st_mtime_ns for config in (finished, finished.training)
              for path in config.folder.rglob("*.json")}
    assert run(finished) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_they_stand_apart_from_the_published_table(finished):
    root = finished.results_root
    assert [entry["row_id"] for entry in collect(root, "demo", of_paper=True)] == [TRAINED, ROW]
    assert collect(root, "demo") == []


def test_without_the_weights_the_notebook_says_which_run_makes_them(finished, tmp_path):
    shutil.copytree(finished.results_root, tmp_path / "results")
    config = config_of(ROW, tmp_path / "results", finished.data_root)
    shutil.rmtree(config.training.folder / "checkpoints")
    with pytest.raises(UsageError, match=f"E-TRAINING(.|\\n)*no checkpoint(.|\\n)*{TRAINED}"):
        Experiment(config)._evaluate_shared()
