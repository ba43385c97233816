"""How cuDNN works in a training and in an evaluation."""

import pytest
import torch

from deeplab.support.cuda import TF32, cuda_mode


def flags():
    return (torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32,
            torch.backends.cuda.matmul.allow_tf32)


def test_kernels_are_tried_in_training_only_and_scores_are_float32():
    before = flags()
    with cuda_mode(training=True):
        assert flags() == (True, TF32["training"], False) == (True, True, False)
        with cuda_mode(training=False):
            assert flags() == (False, TF32["evaluation"], False) == (False, False, False)
        assert flags() == (True, True, False)
    assert flags() == before


def test_flags_come_back_after_an_error():
    before = flags()
    with pytest.raises(ValueError), cuda_mode(training=True):
        raise ValueError
    assert flags() == before
