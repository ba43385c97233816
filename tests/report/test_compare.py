"""Two results are compared image by image, and an interval says what the images can show."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from deeplab.cli.main import main
from deeplab.evaluation.metrics import class_counts, mean_iou
from deeplab.report.compare import bootstrap, compared, miou
from deeplab.runs.evidence import Counts, save_counts
from deeplab.support.errors import UsageError

IMAGES, CLASSES = 40, 5
IDS = [f"n{number}" for number in range(IMAGES)]


def confusions(share, seed=0):
    """Confusion matrices of images of which about `share` of the pixels are right."""
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.integers(0, 20, (CLASSES, CLASSES)) + np.diag(
        rng.integers(0, 400, CLASSES) * share).astype(int)) for _ in range(IMAGES)]


def counts(matrices, ids=IDS):
    return Counts(list(ids), torch.stack([class_counts(one) for one in matrices]).numpy())


def test_the_score_is_that_of_all_images_together():
    matrices = confusions(0.5)
    assert miou(counts(matrices).counts.sum(0)[None])[0] == pytest.approx(
        mean_iou(sum(matrices)), abs=1e-12)


def test_each_draw_is_the_difference_over_the_images_drawn():
    one, other = counts(confusions(0.5)).counts, counts(confusions(0.7, 1)).counts
    found = bootstrap(one, other, draws=300)
    rng, wanted = np.random.default_rng(5), []
    for _ in range(300):
        drawn = rng.integers(0, IMAGES, IMAGES)
        wanted.append(miou(other[drawn].sum(0)[None])[0] - miou(one[drawn].sum(0)[None])[0])
    assert found.mean() == pytest.approx(np.mean(wanted), abs=4 * np.std(wanted) / 300 ** 0.5)
    assert found.std() == pytest.approx(np.std(wanted), rel=0.25)


def test_what_is_the_same_does_not_differ_and_what_is_better_everywhere_is_shown():
    worse, better = counts(confusions(0.4)), counts(confusions(0.9))
    same = compared("run", worse, worse)
    assert (same.low, same.high) == (0, 0) and "no difference is shown" in same.words
    shown = compared("run", worse, better)
    assert 0 < shown.low < shown.second - shown.first < shown.high
    assert "the second is better" in shown.words
    assert "the first is better" in compared("run", better, worse).words


def test_images_are_matched_by_name_whatever_their_order():
    one, other = counts(confusions(0.4)), counts(confusions(0.6, 1))
    turned = Counts(other.ids[::-1], other.counts[::-1])
    assert compared("run", one, turned) == compared("run", one, other)


def test_other_images_or_classes_are_refused():
    one = counts(confusions(0.4))
    with pytest.raises(UsageError, match="E-COMPARE (?s:.*)40 and 40 images, 39 in common"):
        compared("run", one, Counts(["x", *IDS[1:]], one.counts))
    with pytest.raises(UsageError, match="5 and 4 classes"):
        compared("run", one, Counts(IDS, one.counts[..., :4]))


def leave(folder, share):
    """The counts of a run in `folder`."""
    class Samples:
        ids = IDS

    class Scored:
        image_counts, indices = torch.from_numpy(counts(confusions(share)).counts), range(IMAGES)
    folder.mkdir(parents=True)
    save_counts(folder / "images.safetensors", Samples, Scored)
    return folder


def test_the_command_compares_runs_and_whole_folders(tmp_path):
    first = leave(tmp_path / "a/demo/voc_r50_d8/seed0", 0.4)
    second = leave(tmp_path / "b/demo/voc_r50_d8/seed1", 0.9)
    done = CliRunner().invoke(main, ["compare", str(first), str(second)])
    assert done.exit_code == 0 and "the second is better" in done.output
    done = CliRunner().invoke(main, ["compare", str(tmp_path / "a"), str(tmp_path / "a")])
    assert "demo voc_r50_d8 seed0" in done.output and "+0.00" in done.output
    leave(tmp_path / "b/demo/voc_r50_d16/seed0", 0.9)
    done = CliRunner().invoke(main, ["compare", str(tmp_path / "a"), str(tmp_path / "b")])
    assert done.exit_code == 2 and "no run in common" in done.output
