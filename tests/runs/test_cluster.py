"""Rows on a cluster: a real Dask cluster of two workers on this machine, and scripts for SLURM."""

import asyncio
import contextlib
import importlib.util
import os
import signal
import sys
import threading
from collections import Counter
from concurrent.futures import CancelledError
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from dask_machine import free_port, parent_of, wait_for_row
from small_table import (ROWS, config_of, damaged_files, row_digest)

from deeplab.cli.main import main
from deeplab.runs import cluster
from deeplab.runs.cluster import dry_run_text, run_on_cluster
from deeplab.runs.config import RunConfig
from deeplab.runs.sbatch import JobRequest
from deeplab.support.errors import DataError, Stopped, UsageError

SMALL = JobRequest(hours=1, cores=2, memory_gb=4, gpus=0, gpu_type=None, reason="a test")
needs_dask = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("distributed", "dask_jobqueue")),
    reason="the optional extra [cluster] is not installed")


@pytest.fixture
def configs(data_root, tmp_path):
    return [config_of(row_id, tmp_path / "results", data_root) for row_id in ROWS]


@needs_dask
def test_rows_of_a_lost_worker_run_again_and_finished_ones_never(
        machine, configs, references, tmp_path):
    started = {}

    def lose_a_worker():
        started["worker"] = parent_of(wait_for_row(configs[1]))
        os.kill(started["worker"], signal.SIGKILL)

    loser = threading.Thread(target=lose_a_worker)
    loser.start()
    codes = run_on_cluster(configs, machine.address, SMALL, say=lambda text: None)
    loser.join()
    assert started["worker"] in [worker.pid for worker in machine.workers]
    assert codes == dict.fromkeys(ROWS, 0)
    starts_of = Counter((tmp_path / "starts").read_text().split())
    assert starts_of == {ROWS[0]: 1, ROWS[1]: 2}
    assert {config.row.row_id: row_digest(config.folder) for config in configs} == references
    assert damaged_files(tmp_path / "results") == []


@needs_dask
def test_the_schedulers_pages_are_for_this_machine_and_its_interface_is_the_users(
        tmp_path):
    import dask
    import dask_jobqueue  # noqa: F401  its part of the configuration must be there before
    import psutil

    from deeplab.runs.slurm import slurm_cluster

    def listening():
        return {connection.laddr.ip for connection in psutil.Process().net_connections("tcp")
                if connection.status == "LISTEN"}

    with (dask.config.set({"jobqueue.slurm.interface": "lo"}),
          slurm_cluster(SMALL, [], tmp_path) as mine):
        assert listening() == {"127.0.0.1"} and "--interface lo" in mine.job_script()
        assert "--no-dashboard" in mine.job_script()
    with slurm_cluster(SMALL, [], tmp_path):
        assert {"127.0.0.1", "0.0.0.0"} <= listening()  # and "::", where there is IPv6


@needs_dask
def test_whoever_waits_for_a_worker_is_told(monkeypatch):
    said = []
    client = SimpleNamespace(scheduler_info=lambda: {"workers": {}})
    watcher = cluster.Watcher(client, "tcp://host:8786", said.append)
    watcher.look(3)
    monkeypatch.setattr(cluster, "SILENT_SECONDS", -1)
    watcher.look(3)
    assert said == ["3 rows wait for a worker: dask worker tcp://host:8786 --no-nanny --nthreads 1"]


def test_a_client_that_has_given_its_scheduler_up_ends_the_table_too():
    client = SimpleNamespace(status="closed", scheduler=None)  # as Dask leaves it
    with pytest.raises(Stopped, match="no answer from tcp://host:8786"):
        cluster._await_scheduler(client, "tcp://host:8786", "keeper", print)


def test_a_scheduler_that_is_lost_while_a_row_ends_leaves_the_row_without_a_code():
    for error in (CancelledError, ConnectionError):  # Dask's CommClosedError is an OSError
        def lost(error=error):
            raise error
        future = SimpleNamespace(status="finished", cancelled=lambda: False, result=lost)
        assert cluster._exit_code(future, None) is None
    assert cluster._exit_code(SimpleNamespace(status="cancelled", cancelled=lambda: True),
                              None) is None


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
def test_an_error_of_the_work_is_not_blamed_on_the_cluster(machine, configs, monkeypatch):
    def fail(*arguments):
        raise DataError("E-JSON")
    monkeypatch.setattr(cluster, "_submit", fail)
    with pytest.raises(DataError):
        run_on_cluster(configs, machine.address, SMALL)


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


@pytest.mark.parametrize("tokens, refused", [((1, 2), True), ((1, 4), False), ((0, 0), False)])
def test_a_row_of_more_gpus_than_any_worker_has_is_refused(tmp_path, tokens, refused):
    """Workers without tokens take any row."""
    workers = {str(number): {"resources": {"GPU": count} if count else {}}
               for number, count in enumerate(tokens)}
    client = SimpleNamespace(scheduler_info=lambda n_workers: {"workers": workers})
    config = RunConfig.of(row_id="voc_r50_d8", profile="full", gpus=4, results_root=tmp_path)
    with (pytest.raises(UsageError, match="E-GPUS(?s:.*)found: 2 workers with GPU=2 at most"
                        "(?s:.*)--resources GPU=4") if refused else contextlib.nullcontext()):
        cluster._check_tokens(client, [SimpleNamespace(config=config)])


@needs_dask
@pytest.mark.parametrize("status, job, ends", [
    ("closing", "7", True), ("running", "7", False), ("closing", None, False)])
def test_a_worker_that_hangs_while_it_closes_gives_its_job_back(monkeypatch, status, job, ends):
    """It is Dask's own end that may hang; the table that takes its plugin back ends no worker."""
    from distributed.core import Status

    from deeplab.runs import worker
    ended = threading.Event()
    monkeypatch.setattr(worker.os, "_exit", lambda code: ended.set())
    monkeypatch.setattr(worker, "WORKER_END_SECONDS", 0.01)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    if job:
        monkeypatch.setenv("SLURM_JOB_ID", job)
    dask_worker = SimpleNamespace(status=getattr(Status, status))
    keeper = worker.RowKeeper()
    keeper.setup(dask_worker)
    asyncio.run(keeper.teardown(dask_worker))
    assert ended.wait(2 if ends else 0.2) == ends
