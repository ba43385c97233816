"""Rows on a cluster: a real Dask cluster of two workers on this machine, and scripts for SLURM."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from click.testing import CliRunner
from small_table import (ROWS, config_of, damaged_files, draw_twins, environment, logged_step,
                         reference_digests, row_digest)

from deeplab.cli.main import main
from deeplab.runs import cluster
from deeplab.runs.cluster import dry_run_text, run_on_cluster
from deeplab.runs.sbatch import JobRequest
from deeplab.support.errors import DataError, UsageError
from deeplab.support.locks import owner

SMALL = JobRequest(hours=1, cores=2, memory_gb=4, gpus=0, gpu_type=None, reason="a test")
needs_dask = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("distributed", "dask_jobqueue")),
    reason="the optional extra [cluster] is not installed")


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    return draw_twins(tmp_path_factory.mktemp("data"))


@pytest.fixture
def configs(data_root, tmp_path):
    return [config_of(row_id, tmp_path / "results", data_root) for row_id in ROWS]


@pytest.fixture
def two_workers(tmp_path, monkeypatch):
    """A scheduler and two workers with a GPU token each, started as a user starts them."""
    monkeypatch.setattr(cluster, "core_count", lambda: 2)  # one thread for each of two rows
    processes, address = [], f"tcp://127.0.0.1:{free_port()}"

    def start(*words, **more):
        with open(tmp_path / f"dask-{len(processes)}.log", "wb") as log:
            processes.append(subprocess.Popen(
                [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]], stdout=log,
                stderr=log, env=environment(TEST_QUICK="1", **more)))
        return processes[-1]

    start("dask_scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2],
          "--no-dashboard")
    workers = [start("dask_worker", address, "--no-nanny", "--nthreads", "1", "--resources",
                     "GPU=1", "--no-dashboard", TEST_PAUSE="0.3",
                     TEST_STARTS=str(tmp_path / "starts")) for _ in range(2)]
    yield address, workers
    for process in processes:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@needs_dask
def test_rows_of_a_lost_worker_run_again_and_finished_ones_never(
        two_workers, configs, data_root, tmp_path):
    address, workers = two_workers
    started = {}

    def lose_a_worker():
        deadline = time.monotonic() + 300
        while logged_step(configs[1].folder) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        row, _ = owner(configs[1].folder / "lock")
        parent = subprocess.run(["ps", "-o", "ppid=", "-p", str(row)], capture_output=True)
        started["worker"] = int(parent.stdout)
        os.kill(started["worker"], signal.SIGKILL)

    loser = threading.Thread(target=lose_a_worker)
    loser.start()
    codes = run_on_cluster(configs, address, SMALL, say=lambda text: None)
    loser.join()
    assert started["worker"] in [worker.pid for worker in workers]
    assert codes == dict.fromkeys(ROWS, 0)
    starts_of = Counter((tmp_path / "starts").read_text().split())
    assert starts_of == {ROWS[0]: 1, ROWS[1]: 2}
    references = reference_digests(tmp_path / "reference", data_root)
    assert {config.row.row_id: row_digest(config.folder) for config in configs} == references
    assert damaged_files(tmp_path / "results") == []


@needs_dask
def test_a_cluster_that_is_not_there_is_said_so(configs, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1)
    with pytest.raises(UsageError, match="E-CLUSTER there is no such cluster(.|\n)*dask scheduler"):
        run_on_cluster(configs, f"tcp://127.0.0.1:{free_port()}", SMALL)


@pytest.mark.parametrize("function, where", [(run_on_cluster, "tcp://127.0.0.1:1"),
                                             (run_on_cluster, "slurm"), (dry_run_text, "slurm")])
def test_without_the_extra_it_is_named(configs, monkeypatch, function, where):
    for name in ("dask", "distributed", "dask_jobqueue"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match=r"E-CLUSTER(.|\n)*pip install 'deeplab\[cluster\]'"):
        function(configs, where, SMALL)


@needs_dask
def test_an_error_of_the_work_is_not_blamed_on_the_cluster(two_workers, configs, monkeypatch):
    def fail(*arguments):
        raise DataError("E-JSON")
    monkeypatch.setattr(cluster, "_submit", fail)
    with pytest.raises(DataError):
        run_on_cluster(configs, two_workers[0], SMALL)


def table(*words):
    result = CliRunner().invoke(main, ["table", "--rows", "voc_r50_*", *words])
    assert result.exit_code == 0, result.output
    return result.output


@needs_dask
def test_a_dry_run_prints_the_job_script_of_slurm():
    script = table("--cluster", "slurm", "--dry-run", "--profile", "full", "--gpus", "4",
                   "--gpu-type", "a100", "--directive", "--partition=gpu")
    for line in ("#SBATCH --gres=gpu:a100:4", "#SBATCH --partition=gpu",
                 "#SBATCH --cpus-per-task=20"):
        assert line in script.splitlines()
    assert "--resources GPU=4" in script


def test_a_dry_run_elsewhere_prints_the_commands():
    lines = table("--dry-run", "--seeds", "0", "--seeds", "1").splitlines()
    assert len(lines) == 4 and lines[0].startswith("deeplab run voc_r50_d8 --profile demo --seed")
