"""One row on several processes: as torchrun starts them, here and by hand on several machines."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_table import (KILLED, ROWS, command, config_of, environment, exit_code,
                         forked, in_child, newest_step, quick_rows, row_digest)

from deeplab.runs import experiment, run_row
from deeplab.runs import rank as rank_module
from deeplab.runs.config import RunConfig
from deeplab.support.errors import UsageError
from deeplab.support.files import read_json


def one_rank(config, rank, world, port):
    """What `torchrun -m deeplab.runs.rank` does in one of its processes."""
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank),
                      MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    quick_rows()
    torch.set_num_threads(1)
    rank_module.main(json.dumps(config.parameters))


def ranks(config, *crashes):
    """The exit codes of one process for each of `crashes`, at which it dies."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    children = [forked(one_rank, config, rank, len(crashes), port, crash=crash)
                for rank, crash in enumerate(crashes)]
    return [exit_code(child) for child in children]


def finish(config):
    """`deeplab run` on one machine, after its processes on several have trained."""
    quick_rows()
    experiment.launch = None  # nothing is left to start
    os.environ["OMP_NUM_THREADS"] = "2"  # one for each of the two processes
    run_row.run_row(RunConfig.of(**config.parameters))  # of the shrunk profile, as the ranks


def test_two_processes_train_a_row_and_one_finishes_it_whoever_was_killed(data_root, tmp_path):
    whole, killed = (config_of(ROWS[0], tmp_path / name, data_root, processes=2)
                     for name in ("whole", "killed"))
    assert ranks(whole, "", "") == [0, 0]
    codes = ranks(killed, "", "step:6")
    assert codes[1] == KILLED and codes[0] not in (0, KILLED) and newest_step(killed.folder) == 5
    assert ranks(killed, "", "") == [0, 0]
    for config in (whole, killed):
        assert not (config.folder / "result.json").exists()
        assert in_child(finish, config) == 0
    assert row_digest(killed.folder) == row_digest(whole.folder)
    assert read_json(whole.folder / "result.json")["num_images"] == 3


def test_another_number_of_processes_than_asked_for_is_refused(data_root, tmp_path):
    config = config_of(ROWS[0], tmp_path, data_root, processes=3)
    assert ranks(config, "", "") == [UsageError.exit_code] * 2
    assert "E-WORLD" in read_json(config.folder / "rank-0.json")["text"]


@pytest.mark.skipif(torch.cuda.device_count() >= 8, reason="this machine has them")
@pytest.mark.parametrize("gpus", [1, 8])
def test_more_gpus_than_there_are_is_refused(data_root, tmp_path, gpus):
    if torch.cuda.device_count() >= gpus:
        pytest.skip("this machine has one")
    config = config_of(ROWS[0], tmp_path, data_root, gpus=gpus)
    with pytest.raises(UsageError, match=f"E-GPUS(.|\n)*expected: {gpus}"):
        experiment.Experiment(config).train()
    assert not (config.folder / "log.jsonl").exists()


@pytest.mark.slow
def test_one_command_trains_in_two_processes_although_one_is_killed(data_root, tmp_path):
    config, whole = (config_of(ROWS[0], tmp_path / name, data_root, processes=2)
                     for name in ("killed", "whole"))
    results = [subprocess.run(command(*config.command), capture_output=True, text=True,
                              env=environment(TEST_QUICK="1", **more), timeout=200)
               for config, more in ((whole, {}), (config, {"TEST_RANK": "1=step:6"}))]
    assert [result.returncode for result in results] == [0, 0], results[1].stderr
    assert "a rank died or hung; going on from step 5" in results[1].stdout
    assert row_digest(config.folder) == row_digest(whole.folder)


@pytest.mark.slow
def test_two_machines_train_one_row_with_the_commands_of_the_readme(data_root, tmp_path):
    config = config_of(ROWS[0], tmp_path / "results", data_root, processes=2)
    whole = config_of(ROWS[0], tmp_path / "whole", data_root, processes=2)
    assert ranks(whole, "", "") == [0, 0]
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    words = [str(Path(sys.executable).with_name("torchrun")), "--nnodes", "2", "--nproc-per-node",
             "1", "--max-restarts", "0", "--master-addr", "127.0.0.1", "--master-port", str(port),
             "-m", "deeplab.runs.rank", json.dumps(config.parameters)]
    for more, code in (({"TEST_RANK": "1=step:6"}, 1), ({}, 0)):
        nodes = [subprocess.Popen(words, env=environment(
            TEST_QUICK="1", PET_NODE_RANK=str(number), **more)) for number in range(2)]
        assert [node.wait(timeout=200) for node in nodes] == [code, code]
    for each in (whole, config):
        assert in_child(finish, each) == 0
    assert row_digest(config.folder) == row_digest(whole.folder)
