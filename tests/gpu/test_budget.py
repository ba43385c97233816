"""What `plan` says of memory and the loader of its speed, beside the card."""

import time

import pytest
import torch
from conftest import DEVICE

from deeplab.model.network import build_model
from deeplab.planning.memory import WORKSPACE, training_memory
from deeplab.runs.config import RunConfig
from deeplab.table.rows import get_row
from deeplab.training.loop import batches, train_step
from deeplab.training.ranks import SINGLE_PROCESS
from deeplab.training.session import Training
from deeplab.training.settings import TrainingSettings

IMAGES, CROP = 4, 512


def settings(**given):
    return TrainingSettings(seed=0, batch_size=IMAGES, total_steps=2, stop_step=2, base_lr=0.01,
                            weight_decay=5e-4, evaluate_every=2, checkpoint_every=2, log_every=2,
                            device=DEVICE, **given)


@pytest.mark.skipif(DEVICE != "cuda", reason="only CUDA counts its memory")
@pytest.mark.parametrize("row_id", ["voc_r50_d16", "voc_r50_d8", "ade20k_r50_d16"])
def test_a_step_needs_the_memory_that_the_plan_says(row_id, measured):
    row = get_row(row_id)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    run = Training(build_model(row), settings(precision="float16"), SINGLE_PROCESS)
    image = torch.randn(IMAGES, 3, CROP, CROP, device=DEVICE)
    label = torch.randint(row.num_classes, (IMAGES, CROP, CROP), device=DEVICE)
    for _ in range(2):
        train_step(run.network, run.optimizer, run.scaler, image, label, lr=0.01,
                   settings=settings(precision="float16"))
    with torch.device("meta"):
        model = build_model(row).half()
    planned = training_memory(model, height=CROP, width=CROP, images=IMAGES)
    found, said = torch.cuda.max_memory_allocated(), planned.total - WORKSPACE
    measured(f"{found / 2**30:.2f} GiB, planned {said / 2**30:.2f} (and {WORKSPACE / 2**30} of "
             "scratch)")
    assert abs(found - said) <= 0.15 * said


def test_the_loader_is_timed_beside_the_step(experiment, measured):
    run = experiment("cityscapes_r50_d16", max_steps=12)
    training, options = Training(run.model, run.settings, SINGLE_PROCESS), run.settings
    loaded = [batch for batch, _ in zip(batches(run.samples, options, start_step=0), range(8))]
    begin = time.perf_counter()
    count = sum(len(image) for image, _ in batches(run.samples, options, start_step=0))
    alone = count / (time.perf_counter() - begin)
    begin = time.perf_counter()
    for image, label in loaded:
        step = train_step(training.network, training.optimizer, training.scaler, image, label,
                          lr=0.01, settings=options)
    assert torch.isfinite(step.total)  # waits for the device
    training_speed = sum(len(image) for image, _ in loaded) / (time.perf_counter() - begin)
    measured(f"{alone:.0f} images/s loaded by {options.workers} workers, {training_speed:.0f} "
             "trained, at the demo's size")
    assert RunConfig.of(row_id="cityscapes_r50_d16").batch_size == options.batch_size
