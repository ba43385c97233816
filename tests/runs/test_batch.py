"""Many rows at once: whoever dies or is asked to stop, the same call goes on and ends the same."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small_table import (ROWS, config_of, damaged_files, environment, logged_step,
                         row_digest)

from deeplab.runs.batch import Job, longest_first, next_job, run_rows
from deeplab.runs.config import RunConfig
from deeplab.support.locks import is_locked
from deeplab.table.rows import load_rows

JOBS = os.cpu_count() or 1  # as many as cores: one thread for each row, as in the reference


@pytest.fixture
def configs(data_root, tmp_path, monkeypatch):
    """The runs of two small rows, whose processes leave out the kernel."""
    for name, value in environment(TEST_QUICK="1", TEST_STARTS=str(tmp_path / "starts")).items():
        monkeypatch.setenv(name, value)
    return [config_of(row_id, tmp_path / "results", data_root) for row_id in ROWS]


def digests(configs):
    return {config.row.row_id: row_digest(config.folder) for config in configs}


def wait_for(condition, seconds=300.0):
    """Wait until `condition()` is true; returns how many seconds that took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "waited in vain"
        time.sleep(0.02)
    return time.monotonic() - start


def test_a_table_that_is_killed_then_stopped_then_loses_a_row_ends_the_same(
        references, configs, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_PAUSE", "0.3")
    code = ("import sys; sys.path.append(sys.argv[1]); from small_table import *; "
            "from deeplab.runs.batch import run_rows; from pathlib import Path; "
            "run_rows([config_of(row, Path(sys.argv[2]), Path(sys.argv[3])) for row in ROWS], "
            f"jobs={JOBS})")
    helpers = str(Path(__file__).parents[1] / "helpers")
    table = subprocess.Popen([sys.executable, "-c", code, helpers, str(tmp_path / "results"),
                              str(configs[0].data_root)], stdout=subprocess.DEVNULL)
    wait_for(lambda: logged_step(configs[0].folder) >= 2)
    table.kill()
    table.wait()
    wait_for(lambda: not any(is_locked(config.folder / "lock") for config in configs), 5)
    assert not (configs[0].folder / "result.json").exists()

    asked = []

    def ask(reached=logged_step(configs[0].folder)):
        wait_for(lambda: logged_step(configs[0].folder) > reached)
        asked.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGTERM)

    asker = threading.Thread(target=ask)
    asker.start()
    codes = run_rows(configs, jobs=JOBS, say=lambda text: None)
    asker.join()
    assert codes[ROWS[0]] == 75 and time.monotonic() - asked[0] < 10
    monkeypatch.delenv("TEST_PAUSE")

    said, done = [], [configs[1].folder / name for name in ("result.json", "log.jsonl")]
    monkeypatch.setenv("TEST_CRASH", f"{ROWS[0]}=evaluation:1")
    assert run_rows(configs, jobs=JOBS, say=said.append) == {ROWS[0]: -signal.SIGKILL, ROWS[1]: 0}
    assert any(line.startswith(f"{ROWS[0]}: exit code -9") for line in said)
    assert any("1 of 2 rows done in " in line for line in said)
    before = [path.stat().st_mtime_ns for path in done]
    monkeypatch.delenv("TEST_CRASH")
    assert run_rows(configs, jobs=JOBS, say=said.append) == dict.fromkeys(ROWS, 0)
    assert before == [path.stat().st_mtime_ns for path in done]  # what is done is left alone
    assert digests(configs) == references and damaged_files(tmp_path) == []


def test_the_longest_rows_start_first(tmp_path):
    rows = [job.config.row.row_id for job in longest_first(
        [config_of(row_id, tmp_path, tmp_path) for row_id in load_rows()])]
    assert rows[0] == "cityscapes_r101_d8" and rows[-1] == "voc_r50_d16" and len(rows) == 16


def test_rows_that_share_a_training_run_one_after_the_other(tmp_path):
    jobs = {name: Job(RunConfig.of(row_id=f"paper_{name}", seed=seed, results_root=tmp_path))
            for name, seed in (("t5_mg124_image", 0), ("t6_at8", 0), ("t4_at8", 0))}
    first, second, other = jobs.values()
    assert next_job([second, other], [first]) is other
    assert next_job([second], [first]) is None and next_job([second], []) is second
    assert longest_first([job.config for job in (second, first)])[0].config == first.config
    elsewhere = Job(RunConfig.of(row_id="paper_t6_at8", seed=1, results_root=tmp_path))
    assert next_job([elsewhere], [first]) is elsewhere
