"""Cityscapes' own evaluator reads what `predict --raw` writes, and gives our scores."""

import numpy as np
import pytest
from click.testing import CliRunner
from lively import lively_state

from deeplab.cli.main import main
from deeplab.data.catalog import get_dataset
from deeplab.miniature.twins import miniature
from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.weights.files import WeightFile, save_weights
from deeplab.weights.fused import optimize_for_inference

ROW = "cityscapes_r50_d16"


def test_the_official_evaluator_gives_the_same_scores(tmp_path, monkeypatch):
    official = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling",
                                   reason="needs the extra [benchmarks]")
    weights = save_weights(tmp_path / "w.safetensors", lively_state(ROW, "demo"), row_id=ROW,
                           profile="demo")
    config = RunConfig.of(row_id=ROW, data_root=str(tmp_path / "data"))
    root = miniature("cityscapes", tmp_path / "data") / "cityscapes"
    done = CliRunner().invoke(main, [
        "predict", str(root / "leftImg8bit/val/*/*.png"), "--weights", str(weights), "--raw",
        "--out", str(tmp_path / "results")])
    assert done.exit_code == 0, done.output

    monkeypatch.setenv("CITYSCAPES_RESULTS", str(tmp_path / "results"))
    for name in ("evalInstLevelScore", "JSONOutput"):
        monkeypatch.setattr(official.args, name, False)
    monkeypatch.setattr(official.args, "quiet", True)
    labels = sorted(map(str, root.glob("gtFine/val/*/*_labelIds.png")))
    found = official.evaluateImgLists(
        [official.getPrediction(official.args, label) for label in labels], labels, official.args)

    model = optimize_for_inference(WeightFile.read(weights).model(config.row, "demo"))
    own = Experiment(config).evaluate(model)
    theirs = [found["classScores"][name] for name in get_dataset("cityscapes").classes]
    assert len(labels) == own.num_images
    np.testing.assert_allclose(own.class_iou.numpy(), theirs, rtol=0, atol=1e-9)
    assert own.mean_iou == pytest.approx(100 * found["averageScoreClasses"], abs=1e-9)
