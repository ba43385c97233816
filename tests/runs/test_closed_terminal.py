"""A terminal that closes (SIGHUP): whatever ran in it has saved its state and goes on later."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from small_table import (ROWS, command, config_of, draw_twins, environment, logged_step,
                         newest_step, reference_digests, row_digest, run_digest)

from deeplab.runs.run_row import NOTEBOOKS
from deeplab.support.locks import is_locked


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    return draw_twins(tmp_path_factory.mktemp("data"), ("voc",))


@pytest.fixture
def config(data_root, tmp_path):
    return config_of(ROWS[0], tmp_path / "results", data_root)


class Terminal:
    """A process whose controlling terminal this is."""

    def __init__(self, words, variables, folder="."):
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, variables)

    def close(self):
        """Close the window; returns what the process ended with, within 30 seconds."""
        os.close(self.master)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.05)
        os.kill(self.process, signal.SIGKILL)
        raise AssertionError("it did not end")


def wait_for_step(config, step=2):
    deadline = time.monotonic() + 120
    while logged_step(config.folder) < step:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_free(config):
    deadline = time.monotonic() + 30
    while any(is_locked(config.folder / name) for name in ("lock", "trainer.lock")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def finish(config):
    subprocess.run(command(*config.command), env=environment(TEST_QUICK="1"), check=True)


@pytest.mark.parametrize("is_table", [False, True], ids=["run", "table"])
def test_a_row_is_saved_and_goes_on(config, data_root, tmp_path, is_table):
    words = command(*config.command)
    if is_table:
        words = command("table", "--rows", ROWS[0], "--results", config.results_root,
                        "--data-root", data_root)
    terminal = Terminal(words, environment(TEST_QUICK="1", TEST_PAUSE="0.3"))
    wait_for_step(config)
    at = logged_step(config.folder)
    assert terminal.close() == 75
    wait_until_free(config)
    # the small demo saves after each step, so it is the log's end that shows a stop and no kill
    assert at <= newest_step(config.folder) == logged_step(config.folder) < 8
    finish(config)
    references = reference_digests(tmp_path / "reference", data_root, ROWS[:1])
    assert row_digest(config.folder) == references[ROWS[0]]


def test_nohup_is_left_alone(config, tmp_path):
    terminal = Terminal(["nohup", *command(*config.command)],
                        environment(TEST_QUICK="1", TEST_PAUSE="0.1"), tmp_path)
    wait_for_step(config)
    assert terminal.close() == 0 and (config.folder / "result.json").exists()


def saved_in_time(config, at):
    """Wait until nothing trains; the run has saved at a stop, after the step `at` or later."""
    wait_until_free(config)
    assert at <= newest_step(config.folder) == logged_step(config.folder) < 8


def test_a_kernel_of_papermill_saves_and_papermill_goes_on(config, data_root, tmp_path):
    """papermill itself ends at once and saves nothing; its kernel has no terminal."""
    words = [sys.executable, "-m", "papermill", str(NOTEBOOKS / "row.ipynb"),
             str(tmp_path / "out.ipynb"), "-k", "python3", "--no-progress-bar"]
    for name in ("row_id", "data_root", "results_root"):
        words += ["-p", name, str(config.parameters[name])]
    terminal = Terminal(words, environment(TEST_PAUSE="0.5"), tmp_path)
    wait_for_step(config)
    at = logged_step(config.folder)
    assert terminal.close() != 0
    saved_in_time(config, at)
    subprocess.run(words, env=environment(), cwd=tmp_path, check=True, capture_output=True)
    assert (config.folder / "result.json").exists()
    reference_digests(tmp_path / "reference", data_root, ROWS[:1])
    whole = config_of(ROWS[0], tmp_path / "reference", data_root)
    assert run_digest(config.folder) == run_digest(whole.folder)


@pytest.mark.slow
def test_torchrun_and_its_ranks_save_and_go_on(data_root, tmp_path):
    config, whole = (config_of(ROWS[0], tmp_path / name, data_root, processes=2)
                     for name in ("closed", "whole"))
    words = [[sys.executable, "-m", "deeplab.runs.launch", "--standalone", "--nproc-per-node", "2",
              "-m", "deeplab.runs.rank", json.dumps(one.parameters)] for one in (config, whole)]
    terminal = Terminal(words[0], environment(TEST_QUICK="1", TEST_PAUSE="0.5"))
    wait_for_step(config)
    at = logged_step(config.folder)
    assert terminal.close() == 75
    saved_in_time(config, at)
    for each in words:
        subprocess.run(each, env=environment(TEST_QUICK="1"), check=True, capture_output=True)
    assert run_digest(config.folder) == run_digest(whole.folder)
