"""A run is told why the GPU cannot be used, and a training on the CPU leaves CUDA alone."""

import os

import pytest
import torch
from click.testing import CliRunner
from lively import lively_state

from deeplab.cli.main import main
from deeplab.runs import batch, device
from deeplab.runs.config import RunConfig
from deeplab.runs.device import check_gpus, check_shared, check_training, device_of
from deeplab.runs.experiment import Experiment
from deeplab.support import cuda
from deeplab.support.cuda import capability_problem, cuda_problem
from deeplab.support.errors import UsageError
from deeplab.support.machine import core_count
from deeplab.training.checkpoint import restore_training, training_state
from deeplab.training.ranks import SINGLE_PROCESS
from deeplab.weights.files import save_weights


ROW = "voc_r50_d8"


@pytest.fixture
def usable(monkeypatch):
    """`usable(problem)`: CUDA is there, or not for the reason given."""
    def pretend(problem=None):
        monkeypatch.setattr(device, "cuda_problem", lambda: problem)
    return pretend


def test_demo_stays_on_the_cpu_and_never_asks_for_a_gpu(monkeypatch):
    monkeypatch.setattr(device, "cuda_problem", lambda: pytest.fail("CUDA was asked for"))
    for given in ({}, {"processes": 2}, {"device": "cpu"}):
        config = RunConfig.of(row_id=ROW, profile="demo", **given)
        assert Experiment(config).device == "cpu"
        check_training(config, "cpu")


@pytest.mark.parametrize("given, problem, wanted", [
    ({"profile": "small"}, None, "cuda"), ({"profile": "small"}, "no GPU", "cpu"),
    ({"profile": "full"}, None, "cuda"), ({"profile": "full", "processes": 2}, None, "cpu"),
    ({"profile": "full", "device": "cpu"}, None, "cpu"), ({"gpus": 1}, None, "cuda"),
    ({"device": "cuda"}, None, "cuda")])
def test_a_run_computes_where_it_is_asked_to_or_on_the_gpu_that_there_is(usable, given, problem,
                                                                        wanted):
    usable(problem)
    config = RunConfig.of(row_id=ROW, **given)
    assert device_of(config) == wanted
    check_training(config, wanted)


@pytest.mark.parametrize("given, whose", [
    ({"profile": "full"}, "the full profile needs a GPU"),
    ({"profile": "small", "gpus": 1}, "the small profile needs a GPU")])
def test_what_needs_a_gpu_is_refused_with_the_reason_why_none_can_be_used(usable, given, whose):
    usable("GPU 0 has capability 3.7")
    config = RunConfig.of(row_id=ROW, **given)
    with pytest.raises(UsageError, match=f"E-CUDA {whose}(?s:.*)found: GPU 0 has capability 3.7"):
        check_training(config, device_of(config))


def test_a_device_that_is_asked_for_and_cannot_be_used_is_refused(usable):
    usable("no GPU is visible")
    with pytest.raises(UsageError, match="E-CUDA the device cuda(?s:.*)found: no GPU is visible"):
        device_of(RunConfig.of(row_id=ROW, device="cuda"))
    with pytest.raises(UsageError, match="E-MPS(?s:.*)found: torch .* built without MPS"):
        device_of(RunConfig.of(row_id=ROW, device="mps"))


def test_mps_trains_demo_and_small_only(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    for profile in ("demo", "small", "full"):
        config = RunConfig.of(row_id=ROW, profile=profile, device="mps")
        assert device_of(config) == "mps"  # of any size for `evaluate` and `predict`
        if profile == "full":
            with pytest.raises(UsageError, match="E-MPS the profile full is not trained"):
                check_training(config, "mps")
        else:
            check_training(config, "mps")


@pytest.mark.parametrize("given, expected", [
    ({"device": "tpu"}, "cpu, cuda, mps, or None"),
    ({"device": "cuda", "processes": 2}, "cpu with processes"),
    ({"device": "cpu", "gpus": 2}, "cuda with gpus")])
def test_a_device_that_does_not_exist_or_contradicts_is_refused(given, expected):
    with pytest.raises(UsageError, match=f"E-PARAMETER(?s:.*)expected: {expected}"):
        RunConfig.of(row_id=ROW, **given)


@pytest.mark.parametrize("words", [
    ["run", ROW, "--device", "mps"], ["table", "--rows", ROW, "--device", "mps"],
    ["evaluate", ROW, "--weights", "{file}", "--device", "mps"],
    ["predict", "{file}", "--weights", "{file}", "--device", "mps"]])
def test_every_command_takes_the_device(tmp_path, words):
    file = save_weights(tmp_path / "w.safetensors", lively_state(ROW, "demo"), row_id=ROW,
                        profile="demo")
    done = CliRunner().invoke(main, [word.format(file=file) for word in words] + (
        ["--results", str(tmp_path)] if words[0] != "predict" else ["--out", str(tmp_path)]))
    assert done.exit_code and "E-MPS" in done.output


@pytest.mark.parametrize("given, where, problem", [
    ({"precision": "bfloat16"}, "cuda", "does not compute in bfloat16(?s:.*)capability 7.5"),
    ({"precision": "float16"}, "mps", "only float32 is trained")])
def test_a_precision_that_the_device_does_not_have_is_refused(monkeypatch, given, where, problem):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Tesla T4")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (7, 5))
    with pytest.raises(UsageError, match=f"E-PRECISION .*{problem}"):
        check_training(RunConfig.of(row_id=ROW, **given), where)


def test_a_precision_that_does_not_exist_is_refused():
    with pytest.raises(UsageError, match="E-PARAMETER(?s:.*)'float8'(?s:.*)bfloat16"):
        RunConfig.of(row_id=ROW, precision="float8")


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
def test_no_two_rows_that_run_at_once_share_a_gpu(monkeypatch, tmp_path, usable, gpus, jobs,
                                                  visible, wanted):
    usable()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(batch, "POLL_SECONDS", 0)
    running, given = [], []

    def start(command, log, threads, slot):
        given.append(slot)
        return Row(slot, running)

    monkeypatch.setattr(batch, "start_row", start)
    configs = [RunConfig.of(row_id=ROW, profile="small", gpus=gpus, seed=seed,
                            results_root=str(tmp_path)) for seed in range(6)]
    codes = batch.run_rows(configs, jobs=jobs, say=lambda text: None)
    assert list(codes.values()) == [0] * 6
    assert given[:len(wanted)] == wanted and set(given) == set(wanted)


def test_rows_on_cpus_get_no_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    for given in ({"processes": 1}, {"profile": "demo"}, {"profile": "small", "device": "cpu"}):
        assert batch.gpu_slots([RunConfig.of(row_id=ROW, **given)]) == []


def test_cores_are_those_that_affinity_leaves(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 8}, raising=False)
    assert core_count() == 3


@pytest.mark.parametrize("given, found", [({"gpus": 3}, "16 images, 3 GPUs"),
                                          ({"processes": 5}, "16 images, 5 processes")])
def test_a_batch_that_ranks_cannot_share_is_refused_before_they_start(given, found):
    config = RunConfig.of(row_id=ROW, profile="full", **given)
    with pytest.raises(UsageError, match=f"E-GPUS(?s:.*){found}(?s:.*)take 1 or 2 or 4 or 8 or 16"):
        check_shared(config)


def test_more_gpus_than_there_are_come_with_the_reason(monkeypatch, usable):
    monkeypatch.setattr(device, "cuda_problem", lambda: "the driver serves CUDA 12.4")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UsageError, match="E-GPUS(?s:.*)found: 0: the driver serves CUDA 12.4"):
        check_gpus(RunConfig.of(row_id=ROW, gpus=2))
