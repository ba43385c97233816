"""A result states the memory of the process that took most, not of the one that writes it."""

import os
import resource
import socket
import sys

import pytest
import torch
from toy_training import exit_code, forked

from deeplab.runs import launch
from deeplab.runs.config import RunConfig
from deeplab.runs.deviations import deviations
from deeplab.runs.experiment import Experiment
from deeplab.runs.launch import RANK_TIMEOUT_SECONDS, check_local_gpu, process_group
from deeplab.runs.peak import REPORT, peak_memory_mb
from deeplab.support.errors import UsageError
from deeplab.support.files import read_json
from deeplab.support.machine import peak_resident_mb

LARGE = 400  # megabytes that the second rank takes, and the first does not


def one_rank(folder, rank, port):
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank),
                      MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    with process_group(folder, timeout=20):
        torch.ones(LARGE * rank * 10**6 // 4)
    assert not torch.distributed.is_initialized()


def test_the_peak_of_several_ranks_is_that_of_the_largest(tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    children = [forked(one_rank, tmp_path, rank, port) for rank in (0, 1)]
    assert [exit_code(child) for child in children] == [0, 0]
    small, large = read_json(tmp_path / REPORT)
    assert large > small + LARGE / 2 and peak_memory_mb(tmp_path, "cpu", 2) == large
    assert peak_memory_mb(tmp_path / "nothing", "cpu", 2) is None


def test_a_run_on_the_cpu_does_not_ask_cuda_for_its_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 7_000_000)
    assert peak_memory_mb(tmp_path, "cpu", 1) > 50
    assert peak_memory_mb(tmp_path, "cuda", 1) == 7


@pytest.mark.parametrize("system, megabytes", [("linux", 2048), ("darwin", 2)])
def test_macos_counts_bytes(monkeypatch, system, megabytes):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(resource, "getrusage",
                        lambda who: type("Usage", (), {"ru_maxrss": 2_000_000}))
    assert peak_resident_mb() == megabytes


def test_without_the_module_resource_the_peak_is_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert peak_resident_mb() is None


@pytest.mark.parametrize("given, departs", [({}, True), ({"processes": 2}, False)])
def test_several_processes_average_their_losses_as_upstream_does(given, departs):
    experiment = Experiment(RunConfig.of(row_id="voc_r50_d8", **given))
    assert (9 in [item.number for item in deviations(experiment)]) == departs


def test_a_rank_without_a_gpu_of_its_own_is_refused(monkeypatch):
    monkeypatch.setattr(launch.torch.cuda, "device_count", lambda: 4)
    check_local_gpu(3)
    with pytest.raises(UsageError, match="E-GPUS(?s:.*)found: 4 GPUs   expected: at least 5"):
        check_local_gpu(4)


def test_a_rank_waits_ten_minutes_on_gpus():
    assert RANK_TIMEOUT_SECONDS == {"cpu": 75, "cuda": 600}
