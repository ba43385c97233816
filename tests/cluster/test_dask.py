"""Rows on a Dask scheduler whose workers are told to end, and which is lost itself."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from dask_machine import parent_of, wait_for_row
from small_table import (ROWS, command, config_of, environment, logged_step,
                         row_digest)

from deeplab.runs import cluster
from deeplab.runs.cluster import run_on_cluster
from deeplab.runs.sbatch import JobRequest
from deeplab.support.errors import Stopped

pytest.importorskip("distributed", reason="the optional extra [cluster] is not installed")
SMALL = JobRequest(hours=1, cores=2, memory_gb=4, gpus=0, gpu_type=None, reason="a test")


@pytest.fixture
def configs(data_root, tmp_path):
    return [config_of(row_id, tmp_path / "results", data_root) for row_id in ROWS]


def test_a_worker_that_is_told_to_end_lets_its_row_save(machine, configs, tmp_path):
    log, said = configs[1].folder / "run.log", set()

    def end_a_worker():
        os.kill(parent_of(wait_for_row(configs[1])), signal.SIGTERM)
        deadline = time.monotonic() + 30
        while "E-STOPPED" not in said and time.monotonic() < deadline:
            said.update(log.read_text().split())  # before the next start writes another one
            time.sleep(0.01)

    ender = threading.Thread(target=end_a_worker)
    ender.start()
    codes = run_on_cluster(configs, machine.address, SMALL, say=lambda text: None)
    ender.join()
    assert codes == dict.fromkeys(ROWS, 0)
    assert "E-STOPPED" in said and "Traceback" not in said | set(log.read_text().split())


def test_a_table_that_is_stopped_leaves_the_other_table_on_its_scheduler(
        machine, configs, data_root, tmp_path):
    tables = [subprocess.Popen(
        command("table", "--rows", config.row.row_id, "--results", config.results_root,
                "--data-root", data_root, "--cluster", machine.address),
        env=environment(TEST_QUICK="1"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True) for config in configs]
    for config in configs:
        wait_for_row(config)
    tables[0].send_signal(signal.SIGINT)
    stopped, whole = (table.communicate(timeout=120)[0] for table in tables)
    assert [table.returncode for table in tables] == [75, 0], stopped + whole
    assert "E-STOPPED" in (configs[0].folder / "run.log").read_text()
    assert "Traceback" not in stopped + whole
    assert (configs[1].folder / "result.json").exists()
    assert logged_step(configs[0].folder) < 8


def test_a_scheduler_that_is_gone_ends_the_table_with_the_command_that_goes_on(
        machine, configs, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 12)
    monkeypatch.setattr(sys, "argv", ["deeplab", "table", "--seeds", "0"])
    begin = {}

    def kill_it():
        wait_for_row(configs[1])
        begin["at"] = time.monotonic()
        machine.scheduler.kill()

    killer = threading.Thread(target=kill_it)
    killer.start()
    with pytest.raises(Stopped, match="the scheduler is gone(.|\n)*go on with: deeplab table "
                                      "--seeds 0"):
        run_on_cluster(configs, machine.address, SMALL, say=lambda text: None)
    killer.join()
    assert time.monotonic() - begin["at"] < 30


def test_a_scheduler_that_is_started_again_is_found_again(machine, configs, references):
    said = []

    def restart():
        wait_for_row(configs[1])
        machine.scheduler.kill()
        machine.scheduler.wait()
        machine.start_scheduler()
        machine.start_worker()

    starter = threading.Thread(target=restart)
    starter.start()
    codes = run_on_cluster(configs, machine.address, SMALL, say=said.append)
    assert codes == dict.fromkeys(ROWS, 0)
    starter.join()
    assert any("is back" in text for text in said)
    assert {config.row.row_id: row_digest(config.folder) for config in configs} == references
