"""A dataset of one's own: one file makes it usable in every command."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from lively import lively_state
from PIL import Image

from deeplab.cli.main import main
from deeplab.planning.plan import split_size
from deeplab.prepare import manifest
from deeplab.report.report import Report
from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.support.errors import DataError, UsageError
from deeplab.table.rows import get_row, load_rows, match_rows, own_rows
from deeplab.table.verdict import verdict
from deeplab.weights.files import save_weights

ENTRY = {"title": "Leaves", "resize": [240, 240], "ignored": [9],
         "layout": {"folders": ["leaves"], "images": "photos/{split}/{id}.jpg",
                    "labels": "labels/{split}/{id}.png"},
         "classes": [{"raw": 0, "name": "ground", "color": [90, 60, 30]},
                     {"raw": 1, "name": "oak", "color": [0, 90, 0]},
                     {"raw": 2, "name": "elm", "color": [200, 255, 0]}]}


@pytest.fixture
def leaves(tmp_path, monkeypatch):
    """The data root of a small dataset, known by one file in a folder."""
    (tmp_path / "entries").mkdir()
    (tmp_path / "entries/leaf.json").write_text(json.dumps(ENTRY))
    monkeypatch.setenv("DEEPLAB_DATASETS", str(tmp_path / "entries"))
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 2)):
        for number in range(count):
            raw = rng.choice([0, 1, 2, 9], (6, 8)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
            image = np.array([[90, 60, 30], [0, 90, 0], [200, 255, 0]] + [[0] * 3] * 7)[raw]
            for folder, ending, array in (("photos", "jpg", image), ("labels", "png", raw)):
                path = tmp_path / f"data/leaves/{folder}/{split}/{number}.{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array.astype(np.uint8)).save(path)
    return tmp_path / "data"


def invoke(*words):
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def test_it_has_the_four_rows_of_vocs_recipe_outside_the_table(leaves):
    assert list(own_rows()) == ["leaf_r50_d8", "leaf_r50_d16", "leaf_r101_d8", "leaf_r101_d16"]
    row = get_row("leaf_r101_d8")
    assert (row.num_classes, row.train_split, row.eval_split, row.published_miou) == (
        3, "train", "val", None)
    assert (row.epochs, row.base_lr, row.atrous_rates) == (60, 0.01, (12, 24, 36))
    assert len(load_rows()) == 16 and len(match_rows(())) == 16


def test_a_run_of_it_finds_data_and_network(leaves):
    config = RunConfig.of(row_id="leaf_r50_d16", profile="small", data_root=str(leaves))
    experiment = Experiment(config)
    assert len(experiment.train_set) == 8 and config.resize == (80, 80)
    image, label = experiment.samples[0, 0]
    assert image.shape[1:] == label.shape and set(label.unique().tolist()) <= {0, 1, 2, 255}
    assert experiment.model.classifier[-1].out_channels == 3


def test_verify_evaluate_and_predict_take_it(leaves, tmp_path):
    assert "train 8, val 2; 20 files, 0 problems" in invoke("data", "verify", "leaf",
                                                           "--data-root", leaves)
    weights = save_weights(tmp_path / "w.safetensors", lively_state("leaf_r50_d16", "small"),
                           row_id="leaf_r50_d16", profile="small")
    assert "on 2 images" in invoke("evaluate", "leaf_r50_d16", "--weights", weights,
                                   "--data-root", leaves, "--results", tmp_path / "results")
    invoke("predict", leaves / "leaves/photos/val/*.jpg", "--weights", weights,
           "--out", tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 4


@pytest.mark.parametrize("kind", ["checkpoint", "safetensors"])
@pytest.mark.parametrize("change", ["order", "name"])
def test_weights_are_refused_where_the_entry_names_other_classes(leaves, tmp_path, kind, change):
    state = lively_state("leaf_r50_d16", "small")
    if kind == "safetensors":
        weights = save_weights(tmp_path / "w.safetensors", state, row_id="leaf_r50_d16",
                               profile="small", dataset="leaf")
    else:
        weights = tmp_path / "step.pt"
        torch.save({"model": state, "identity": Experiment(RunConfig.of(
            row_id="leaf_r50_d16", profile="small", data_root=str(leaves))).identity}, weights)
    words = ("evaluate", "leaf_r50_d16", "--weights", weights, "--data-root", leaves,
             "--results", tmp_path / "results")
    assert "mIoU" in invoke(*words)
    classes = [dict(one) for one in ENTRY["classes"]]
    if change == "order":
        classes[1], classes[2] = classes[2], classes[1]
    else:
        classes[1]["name"] = "ash"
    (tmp_path / "entries/leaf.json").write_text(json.dumps(ENTRY | {"classes": classes}))
    for asked in (words, ("predict", leaves / "leaves/photos/val/0.jpg", "--weights", weights,
                          "--out", tmp_path / "out")):
        done = CliRunner().invoke(main, [str(word) for word in asked])
        assert done.exit_code == 4 and "E-CKPT these weights were trained for other" in done.output
        assert "found: ground, oak, elm" in done.output and "do: restore" in done.output
    colours = [one | {"color": [9, 9, index]} for index, one in enumerate(ENTRY["classes"])]
    (tmp_path / "entries/leaf.json").write_text(json.dumps(ENTRY | {"classes": colours}))
    assert "mIoU" in invoke(*words)  # other colours mean the same classes


def test_a_split_without_a_labelled_pixel_has_no_score_and_no_nan(leaves, tmp_path):
    for path in (leaves / "leaves/labels/val").iterdir():
        Image.fromarray(np.full((48, 64), 9, np.uint8)).save(path)
    weights = save_weights(tmp_path / "w.safetensors", lively_state("leaf_r50_d16", "small"),
                           row_id="leaf_r50_d16", profile="small")
    assert "mIoU undefined (no labelled pixel) on 2 images" in invoke(
        "evaluate", "leaf_r50_d16", "--weights", weights, "--data-root", leaves,
        "--results", tmp_path / "results")
    (found,) = (tmp_path / "results").rglob("evaluated-*.json")
    facts = json.loads(found.read_text(), parse_constant=pytest.fail)
    assert facts["miou"] is None and set(facts["class_iou"].values()) == {None}
    assert "no score" in verdict(facts | {"complete": True, "seed": 0})


def test_a_missing_validation_split_is_told_before_the_training(leaves, tmp_path):
    for path in (leaves / "leaves/photos/val").iterdir():
        path.unlink()
    experiment = Experiment(RunConfig.of(
        row_id="leaf_r50_d16", profile="small", data_root=str(leaves), max_steps=1,
        results_root=str(tmp_path / "results")))
    with pytest.raises(DataError, match="E-LAYOUT split 'val' has no images"):
        experiment.train()
    assert not (tmp_path / "results").exists()


def test_it_has_no_miniature_twin_and_no_published_score(leaves):
    with pytest.raises(UsageError, match="E-TWIN(?s:.*)small, medium or full"):
        Experiment(RunConfig.of(row_id="leaf_r50_d8")).data_root  # noqa: B018
    facts = {"row_id": "leaf_r50_d8", "profile": "full", "miou": 50.0, "num_images": 2, "seed": 0,
             "class_iou": {"oak": 50.0}, "complete": True, "published_miou": None}
    assert "Nothing is published" in verdict(facts)


def test_rows_status_plan_table_and_report_know_it_outside_the_table(leaves, tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPLAB_DATA", str(leaves))
    assert "leaf_r101_d8" in invoke("rows") and "your own" in invoke("rows")
    assert '"leaf_r50_d8"' in invoke("rows", "--json")
    assert match_rows(["leaf_*_d8"]) == ["leaf_r50_d8", "leaf_r101_d8"]
    assert match_rows(["leaf_r50_d16", "voc_r50_d8"]) == ["voc_r50_d8", "leaf_r50_d16"]
    assert "leaf_r50_d16" in invoke("plan", "leaf_r50_d16", "--gpu", "T4")
    assert "leaf_r50_d16" in invoke("table", "--rows", "leaf_r50_*", "--profile", "small",
                                    "--dry-run")
    folder = RunConfig.of(row_id="leaf_r50_d16", profile="small", results_root=tmp_path).folder
    folder.mkdir(parents=True)
    shown = invoke("status", "--profile", "small", "--results", tmp_path)
    assert shown.startswith("rows of your own, outside the table:\nleaf_r50_d16")
    facts = {"row_id": "leaf_r50_d16", "seed": 0, "state": "done", "noted": [], "miou": 50.0,
             "minutes": 1.0, "num_images": 2, "deviations": []}
    report = Report(tmp_path, "small", [facts])
    assert report.done == [] and report.own == [facts] and "0 of 16 rows done" in report.page
    assert "## Rows of your own, outside the table" in report.page
    assert "| leaf_r50_d16 | resnet50 | 16 | 50.00 | 2 | 1.0 | done |" in report.page


def test_its_plan_counts_what_lies_there_or_says_what_it_assumes(leaves, tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPLAB_DATA", str(leaves))
    config = RunConfig.of(row_id="leaf_r50_d16", profile="small")
    assert (split_size(config, "train"), split_size(config, "val")) == (8, 2)
    monkeypatch.setenv("DEEPLAB_DATA", str(tmp_path / "nowhere"))
    assert split_size(RunConfig.of(row_id="leaf_r50_d16", profile="small"), "val") == 1000
    assert "1,000 images a split" in " ".join(invoke("plan", "leaf_r50_d8", "--gpu", "T4").split())


def test_a_mistyped_row_of_it_is_answered_with_the_nearest(leaves):
    with pytest.raises(UsageError, match="did you mean 'leaf_r50_d8'"):
        get_row("leaf_r50_d9")


def test_a_photo_changed_after_verify_is_refused_by_the_training(leaves, tmp_path, monkeypatch):
    monkeypatch.setattr("deeplab.prepare.manifest.KNOWN", {})
    monkeypatch.setattr("deeplab.support.known.KNOWN", manifest.KNOWN)
    invoke("data", "verify", "leaf", "--data-root", leaves)
    for photo in (leaves / "leaves/photos/train").iterdir():
        content = bytearray(photo.read_bytes())
        content[-30] ^= 1
        photo.write_bytes(content)
    config = RunConfig.of(row_id="leaf_r50_d16", profile="small", data_root=str(leaves),
                          results_root=str(tmp_path / "results"), max_steps=1, batch=2,
                          backbone_weights="none", workers=0)
    with pytest.raises(DataError, match="E-CHANGED(?s:.*)file: leaves/photos/train/..jpg"):
        Experiment(config).train()
    assert not (config.folder / "result.json").exists()
