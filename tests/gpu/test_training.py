"""Training on a GPU: finite in float16, near float32, resumed, without waiting inside a step."""

import os

import pytest
import torch
from conftest import DEVICE

from deeplab.support.errors import DeeplabError
from deeplab.training.loop import batches, train_step
from deeplab.training.ranks import SINGLE_PROCESS
from deeplab.training.session import Training

STEPS = 20 if DEVICE == "cuda" else 4  # float16 takes seconds a step on a CPU
CLOSE = 0.05  # of a loss: float16 keeps three digits, and twenty steps add up their roundings


def losses(outcome):
    """The loss of each logged step."""
    return {line["step"]: line["loss"] for line in outcome.log if "loss" in line}


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_twenty_steps_in_half_precision_are_near_float32(experiment, measured, precision):
    half = losses(experiment(below="half", max_steps=STEPS, precision=precision).train())
    full = losses(experiment(below="full", max_steps=STEPS, precision="float32").train())
    apart = max(abs(half[step] - full[step]) / full[step] for step in full)
    measured(f"largest difference of a loss {apart:.2%}")
    assert half.keys() == full.keys() and apart < CLOSE


def test_a_run_that_stopped_goes_on_like_one_that_did_not(experiment, measured):
    whole = losses(experiment(below="whole", max_steps=STEPS).train())
    experiment(below="parts", max_steps=STEPS // 2).train()
    parts = losses(experiment(below="parts", max_steps=STEPS).train())
    apart = max(abs(parts[step] - whole[step]) / whole[step] for step in whole)
    measured(f"largest difference of a loss {apart:.2e} (0 on a CPU)")
    assert apart < (CLOSE if DEVICE == "cuda" else 1e-12)


@pytest.mark.skipif(DEVICE != "cuda", reason="only CUDA has something to wait for")
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_no_step_waits_for_the_gpu(experiment, precision):
    run = experiment(max_steps=3, precision=precision)
    training, settings = Training(run.model, run.settings, SINGLE_PROCESS), run.settings
    for number, (image, label) in enumerate(batches(run.samples, settings, start_step=0)):
        torch.cuda.set_sync_debug_mode("error" if number else "default")  # the first one warms up
        try:
            train_step(training.network, training.optimizer, training.scaler, image, label,
                       lr=0.01, settings=settings)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(DEVICE == "cuda" and torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_do_what_one_does(experiment, measured):
    share = {"gpus": 2} if DEVICE == "cuda" else {"processes": 2}
    one = losses(experiment(below="one", max_steps=5, precision="float32").train())
    two = losses(experiment(below="two", max_steps=5, precision="float32", **share).train())
    apart = max(abs(one[step] - two[step]) / one[step] for step in one)
    measured(f"largest difference of a loss {apart:.2e}")
    assert apart < CLOSE


def test_a_batch_that_does_not_fit_says_what_would(experiment):
    if DEVICE != "cuda":
        pytest.skip("a CPU's memory is not filled by a test")
    held = torch.empty(int(torch.cuda.mem_get_info()[0] * 0.97), dtype=torch.uint8, device="cuda")
    try:
        with pytest.raises(DeeplabError, match="E-OOM"):
            experiment(max_steps=1).train()
    finally:
        del held
        torch.cuda.empty_cache()
        assert os.getpid()  # the process outlives it
