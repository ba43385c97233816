"""Loader processes that a GPU needs, and the warning where files decode too slowly for it."""

import math

import pytest
import torch
from click.testing import CliRunner

from deeplab.cli.main import main
from deeplab.planning import loaders
from deeplab.planning.loaders import (FRAME_SECONDS, images_per_second, loaders_needed, starving)
from deeplab.planning.memory import GIB
from deeplab.planning.plan import plan
from deeplab.planning.plan_text import plan_text
from deeplab.runs import run_row
from deeplab.runs.config import RunConfig
from deeplab.support.errors import UsageError


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


@pytest.fixture
def card(monkeypatch):
    """`card(name, gigabytes)`: a GPU that trains, and four cores for its loaders."""
    def pretend(name, gigabytes):
        facts = type("Facts", (), {"name": name, "total_memory": gigabytes * GIB})
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: facts)
        monkeypatch.setattr(loaders, "device_of", lambda config: "cuda")
        monkeypatch.setattr(loaders, "loader_count", lambda: 4)
    return pretend


def test_a_run_that_starts_says_how_long_its_gpu_would_wait_for_files(card, monkeypatch, tmp_path):
    """An H100 takes 174 crops a second; four processes decode 68 frames in PNG."""
    card("NVIDIA H100 80GB HBM3", 80)

    def begun(config, again):
        raise UsageError("E-BEGUN")
    monkeypatch.setattr(run_row, "run_row", begun)
    words = ["run", "cityscapes_r50_d16", "--profile", "full", "--data-root", str(tmp_path)]
    lines = CliRunner().invoke(main, words).output.splitlines()
    assert lines[1:] == ["E-BEGUN"] and lines[0] == (
        "warning: this NVIDIA H100 80GB HBM3 takes 174 crops a second by the plan, and 4 loader "
        "processes decode 68: it would wait for data 61 % of the time; deeplab data pack "
        "cityscapes makes 2 enough; or give --workers 13, if there are cores for them")
    assert "E-BEGUN\n" == CliRunner().invoke(main, [*words, "--workers", "13"]).output


@pytest.mark.parametrize("name, row_id, packed", [
    ("NVIDIA A100-SXM4-40GB", "voc_r50_d16", False), ("Tesla T4", "cityscapes_r50_d16", False),
    ("NVIDIA H100 80GB HBM3", "cityscapes_r50_d16", True),
    ("Some card", "cityscapes_r50_d16", False)])
def test_nothing_is_said_where_the_files_are_fast_enough_or_the_card_is_unknown(
        card, monkeypatch, tmp_path, name, row_id, packed):
    card(name, 40)
    monkeypatch.setattr(loaders, "is_packed", lambda config: packed)
    assert starving(RunConfig.of(row_id=row_id, profile="full", results_root=tmp_path)) is None
    assert starving(RunConfig.of(row_id=row_id, profile="demo", results_root=tmp_path)) is None
