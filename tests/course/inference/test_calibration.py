"""Bins of confidence against hand-worked values, and a network whose logits are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from deeplab.course.inference.calibration import confidences, reliability
from deeplab.course.quick import demo_experiment


def test_two_bins_by_hand():
    found = reliability(np.array([0.2, 0.4, 0.9, 1.0]), np.array([True, False, True, True]),
                        bins=2)
    assert found.count.tolist() == [2, 2]
    assert found.confidence.tolist() == pytest.approx([0.3, 0.95])
    assert found.accuracy.tolist() == pytest.approx([0.5, 1])
    assert found.error == pytest.approx((2 * 0.2 + 2 * 0.05) / 4)


def test_an_empty_bin_has_no_numbers_and_no_weight():
    found = reliability(np.array([0.95, 0.95]), np.array([True, False]))
    assert np.isnan(found.accuracy[:9]).all()
    assert found.error == pytest.approx(0.45)


def test_opposite_gaps_do_not_cancel():
    found = reliability(np.array([0.3, 0.7]), np.array([True, False]))
    assert found.error == pytest.approx(0.7)


class Constant(torch.nn.Module):
    """Always class 0 with logit 2, and 0 for the other 20 classes."""

    def forward(self, image):
        logits = torch.zeros(1, 21, 2, 3)
        logits[:, 0] = 2
        return SimpleNamespace(main=logits)


def test_confidence_is_the_largest_probability_of_each_valid_pixel():
    experiment = demo_experiment("voc_r50_d16")
    confidence, right = confidences(experiment, Constant())
    labels = np.stack([label for _, label in (experiment.eval_set[index] for index in range(60))])
    assert len(confidence) == (labels != 255).sum()
    assert right.mean() == pytest.approx((labels == 0).sum() / (labels != 255).sum())
    np.testing.assert_allclose(confidence, np.exp(2) / (np.exp(2) + 20), rtol=1e-5)
