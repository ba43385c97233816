"""A run is told why the GPU cannot be used, and a training on the CPU leaves CUDA alone."""

import os

import pytest
import torch

from deeplab.runs import batch
from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.support import cuda
from deeplab.support.cuda import capability_problem, cuda_problem
from deeplab.support.errors import UsageError
from deeplab.support.machine import core_count
from deeplab.training.checkpoint import restore_training, training_state
from deeplab.training.ranks import SINGLE_PROCESS


def test_full_without_a_gpu_is_refused_unless_processes_are_asked_for():
    with pytest.raises(UsageError, match="E-CUDA(.|\n)*found: (no GPU|torch)"):
        Experiment(RunConfig.of(row_id="voc_r50_d8", profile="full"))._check_gpus()
    Experiment(RunConfig.of(row_id="voc_r50_d8", profile="full", processes=2))._check_gpus()
    Experiment(RunConfig.of(row_id="voc_r50_d8", profile="demo"))._check_gpus()


def test_an_old_driver_is_named_with_both_versions(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(cuda, "driver_version", lambda: 12040)
    assert "serves CUDA 12.4, and torch is built for CUDA 13.0" in cuda_problem()


@pytest.mark.parametrize("capability, usable", [
    ((7, 0), False), ((7, 5), True), ((8, 0), True), ((8, 9), True), ((9, 0), False),
    ((12, 1), True)])
def test_a_build_runs_on_the_capabilities_that_it_has_code_for(monkeypatch, capability, usable):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
    monkeypatch.setattr(torch.cuda, "get_arch_list",
                        lambda: ["sm_75", "sm_80", "sm_86", "compute_120"])
    assert (capability_problem(0) is None) == usable


def test_the_state_of_a_training_on_the_cpu_does_not_touch_a_visible_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name in ("get_rng_state", "set_rng_state"):
        monkeypatch.setattr(torch.cuda, name, lambda *given: pytest.fail("CUDA was touched"))
    model = torch.nn.Linear(2, 2)
    parts = (model, torch.optim.SGD(model.parameters(), lr=0.1),
             torch.amp.GradScaler("cpu", enabled=False))
    state = training_state(*parts, SINGLE_PROCESS, "cpu")
    restore_training(state | {"cuda_rng": [None]}, *parts, SINGLE_PROCESS, "cpu")


class Row:
    """A process of a row that ends once it was looked at a few times."""

    def __init__(self, gpus, running):
        assert not set(gpus) & {gpu for row in running for gpu in row.gpus}, "a GPU with two rows"
        self.gpus, self.running, self.looks = gpus, running, 3
        running.append(self)

    def poll(self):
        self.looks -= 1
        if self.looks == 0:
            self.running.remove(self)
        return 0 if self.looks <= 0 else None


@pytest.mark.parametrize("gpus, jobs, visible, wanted", [
    (None, None, "", [("0",), ("1",), ("2",), ("3",)]),
    (None, 16, "7,5,3,1", [("7",), ("5",), ("3",), ("1",)]),
    (2, None, "", [("0", "1"), ("2", "3")])])
def test_no_two_rows_that_run_at_once_share_a_gpu(monkeypatch, tmp_path, gpus, jobs, visible,
                                                  wanted):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(batch, "POLL_SECONDS", 0)
    running, given = [], []

    def start(command, log, threads, slot):
        given.append(slot)
        return Row(slot, running)

    monkeypatch.setattr(batch, "start_row", start)
    configs = [RunConfig.of(row_id="voc_r50_d8", profile="small", gpus=gpus, seed=seed,
                            results_root=str(tmp_path)) for seed in range(6)]
    codes = batch.run_rows(configs, jobs=jobs, say=lambda text: None)
    assert list(codes.values()) == [0] * 6
    assert given[:len(wanted)] == wanted and set(given) == set(wanted)


def test_rows_on_cpus_get_no_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert batch.gpu_slots([RunConfig.of(row_id="voc_r50_d8", processes=1)]) == []


def test_cores_are_those_that_affinity_leaves(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 8}, raising=False)
    assert core_count() == 3
