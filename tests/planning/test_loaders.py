"""Loader processes that a GPU needs, and the warning where files decode too slowly for it."""

import math

import pytest

from deeplab.planning.loaders import FRAME_SECONDS, images_per_second, loaders_needed
from deeplab.planning.plan import plan
from deeplab.planning.plan_text import plan_text


def line(row_id, **options):
    return plan([row_id], **options)[0]


def test_speed_is_that_of_the_plan_for_each_of_its_gpus():
    one, four = (line("cityscapes_r50_d16", gpu="A100-40", gpus=gpus) for gpus in (1, 4))
    assert images_per_second(one) == pytest.approx(
        one.steps * one.config.batch_size / one.train_hours / 3600)
    assert images_per_second(four) == pytest.approx(images_per_second(one))


def test_a_faster_gpu_needs_more_loaders_and_a_pack_saves_most_of_them():
    """Of 174 crops a second, at 59 ms each and a quarter in reserve: 12.8."""
    h100, a100 = (line("cityscapes_r50_d16", gpu=gpu) for gpu in ("H100", "A100-40"))
    assert (loaders_needed(h100, packed=False), loaders_needed(h100, packed=True)) == (13, 2)
    assert loaders_needed(a100, packed=False) == math.ceil(
        1.25 * FRAME_SECONDS * images_per_second(a100)) == 5
    assert loaders_needed(line("voc_r50_d16", gpu="H100"), packed=False) == 3  # JPEG


def test_a_plan_warns_with_numbers_where_files_would_starve_a_gpu():
    rows = ["voc_r50_d16", "cityscapes_r50_d16"]
    text = " ".join(plan_text([plan(rows, gpu=gpu) for gpu in ("T4", "H100")]).split())
    assert "Warning: 1 of these rows would starve a H100. cityscapes_r50_d16 takes 174" in text
    assert "13 processes must decode its files; a run starts at most 8" in text
    assert "deeplab data pack cityscapes" in text and "--workers 13" in text
    assert "starve a T4" not in text


def test_evaluations_are_planned_without_tf32():
    """An A100's float32 units reach 12.9 TFLOPS; TF32 would make it 26.5."""
    row = line("voc_r50_d16", gpu="A100-40")
    assert row.gpu.tflops(half=False) > 2 * row.gpu.tflops(half=False, tf32=False)
    flops = row.eval_hours * 3600e12 * row.gpu.tflops(half=False, tf32=False)
    passes = flops / (2 * sum(row.cost.eval_macs.values()) * 1449)
    assert passes == pytest.approx(round(passes))
