"""Whole, sliding and multi-scale inference of one real network equals SSSegmentation's."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from reference_weights import REFERENCE, filled, inventory, reference_input

from deeplab.evaluation.inference import augmented, slide_inference, whole_inference
from deeplab.evaluation.upsample import upsampled_argmax, upsampled_mean
from deeplab.model.weights import model_for
from deeplab.table.rows import get_row

PEER = "deeplabv3_resnet50os16_voc"
STORED = REFERENCE / "infer" / f"sssegmentation__{PEER}"
CASES = json.loads(STORED.with_suffix(".json").read_text())["cases"]
SIZE = (97, 129)


@pytest.fixture(scope="module")
def model():
    return model_for(filled(inventory("sssegmentation", PEER)), get_row("voc_r50_d16"))


@pytest.mark.parametrize("case", CASES)
def test_inference_equals_the_peers(model, case):
    forward, averaging = CASES[case]["forward"], CASES[case]["tta"]
    predict = partial(whole_inference, model) if forward["mode"] == "whole" else partial(
        slide_inference, model, window=forward["cropsize"], stride=forward["stride"])
    predict = partial(predict, probabilities=averaging["use_probs_before_resize"])
    with torch.inference_mode():
        outputs = augmented(predict, reference_input(*SIZE), scales=averaging["multiscale"],
                            flip=averaging["flip"])
        mean = upsampled_mean(outputs, *SIZE)
        prediction = upsampled_argmax(outputs, *SIZE)
    assert [list(output.shape) for output in outputs] == CASES[case]["list_shapes"]
    with np.load(STORED.with_suffix(".npz")) as stored:
        np.testing.assert_allclose(mean[:, :, ::4, ::4], stored[f"{case}__final_sub4"],
                                   rtol=0, atol=1e-5)
        np.testing.assert_array_equal(prediction, stored[f"{case}__argmax"])
