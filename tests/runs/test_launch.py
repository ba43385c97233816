"""Several processes, one training: the same images, the same bits after any death."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from toy_training import (KILLED, STEPS, exit_code, forked, in_child, log_lines, newest_state,
                          newest_step, run_digest, toy_model, toy_train)

from deeplab.runs import launch as launch_module
from deeplab.runs.launch import AGENT_LOGGER, _agent, launch, process_group
from deeplab.support.errors import CheckpointError, DivergedError, ResourceError, Stopped
from deeplab.support.files import atomic_write
from deeplab.training import loop
from deeplab.training.checkpoint import Checkpoints
from deeplab.training.ranks import SINGLE_PROCESS, Ranks

HELPERS = Path(__file__).parents[1] / "helpers"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def one_rank(folder, rank, world, port, timeout=20.0, **options):
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1",
                      MASTER_PORT=str(port), LOCAL_RANK=str(rank))
    ranks = Ranks.join(device="cpu", timeout=timeout)
    toy_train(folder, ranks=ranks, identity={"processes": world}, **options)


def forked_ranks(folder, world=2, crash=("", ""), **options):
    """Train in forked ranks, which start at once; their exit codes."""
    port = free_port()
    children = [forked(one_rank, folder, rank, world, port, crash=crash[rank], **options)
                for rank in range(world)]
    return [exit_code(child) for child in children]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The folder of a run of two ranks that nothing disturbed."""
    folder = tmp_path_factory.mktemp("two")
    assert forked_ranks(folder) == [0, 0]
    return folder


def test_two_ranks_keep_the_batch_and_are_repeatable(reference, tmp_path):
    assert log_lines(reference)[0]["processes"] == 2
    assert len(newest_state(reference)["torch_rng"]) == 2
    assert not torch.equal(*newest_state(reference)["torch_rng"])
    assert forked_ranks(tmp_path) == [0, 0]
    assert run_digest(tmp_path) == run_digest(reference)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_death_of_a_rank_at_four_points_ends_the_other_and_changes_no_bit(
        reference, tmp_path, rank):
    for point, step in [("step:2", 0), ("evaluation:1", 5), ("step:4", 6), ("evaluation:2", 10)]:
        crash = ["", ""]
        crash[rank] = point
        codes = forked_ranks(tmp_path, crash=crash)
        assert codes[rank] == KILLED and codes[1 - rank] not in (0, KILLED), point
        assert newest_step(tmp_path) == step, point
    assert forked_ranks(tmp_path) == [0, 0]
    assert run_digest(tmp_path) == run_digest(reference)


def hang_in_step(number):
    """Stop this process for ever in its step `number`."""
    real, calls = loop.train_step, []

    def train_step(*arguments, **options):
        calls.append(1)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGSTOP)
        return real(*arguments, **options)
    loop.train_step = train_step


def test_a_rank_that_hangs_ends_the_other_and_changes_no_bit(reference, tmp_path):
    def hanging(*arguments, **options):
        hang_in_step(8)
        one_rank(*arguments, **options)

    port = free_port()
    waiting = forked(one_rank, tmp_path, 0, 2, port, timeout=3.0)
    hung = forked(hanging, tmp_path, 1, 2, port, timeout=3.0)
    assert exit_code(waiting) == 99
    os.kill(hung, signal.SIGKILL)
    assert exit_code(hung) == KILLED and newest_step(tmp_path) == 6
    assert forked_ranks(tmp_path) == [0, 0]
    assert run_digest(tmp_path) == run_digest(reference)


def test_the_first_rank_killed_while_it_writes_leaves_nothing_half(reference, tmp_path):
    forked_ranks(tmp_path, crash=("write-flushed-step-0000006.pt", ""))
    assert newest_state(tmp_path)["step"] == 5
    assert forked_ranks(tmp_path) == [0, 0]
    assert run_digest(tmp_path) == run_digest(reference)


def test_a_run_of_two_is_not_continued_by_one(reference):
    with pytest.raises(CheckpointError, match="E-OTHER-RUN(.|\n)*found: processes=2"):
        toy_train(reference)


def score_ranks(path, count, rank, world, port):
    from toy_training import CLASSES, SIZE, ToySet

    from deeplab.data.augment import EvalTransform
    from deeplab.evaluation.inference import evaluate
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1",
                      MASTER_PORT=str(port), LOCAL_RANK=str(rank))
    ranks = Ranks.join(device="cpu", timeout=20) if world > 1 else SINGLE_PROCESS
    model = toy_model(seed=rank)  # of different statistics until they are shared
    for value in model.parameters() if world > 1 else []:
        torch.distributed.broadcast(value.data, 0)
    model.backbone.layer1[0].bn1.running_mean += rank
    ranks.share_buffers(model)
    mine = evaluate(model, ToySet(count, seed=5), transform=EvalTransform((SIZE, SIZE)),
                    num_classes=CLASSES, indices=ranks.share(count))
    whole = ranks.merged(mine, count)
    if rank == 0:
        torch.save([whole.confusion, whole.indices, torch.tensor(whole.image_mious)], path)


def test_two_ranks_and_one_process_score_the_same_integers(tmp_path):
    port, count = free_port(), 7
    child = forked(score_ranks, tmp_path / "x", count, 1, 2, port)
    assert in_child(score_ranks, tmp_path / "two", count, 0, 2, port) == 0
    assert exit_code(child) == 0
    assert in_child(score_ranks, tmp_path / "one", count, 0, 1, port) == 0
    two, one = torch.load(tmp_path / "two"), torch.load(tmp_path / "one")
    assert torch.equal(two[0], one[0]) and two[0].dtype == torch.int64
    assert two[1] == one[1] == list(range(count)) and torch.equal(two[2], one[2])
    assert two[0].sum() == count * 48 * 48


def run_launch(folder, monkeypatch, *, crash="", module="toy_rank", say=lambda text: None):
    """`launch` two ranks that give up after 8 s without another."""
    for name, value in [("PYTHONPATH", f"{HELPERS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"),
                        ("TOY_CRASH", crash), ("DEEPLAB_RANK_TIMEOUT", "8")]:
        monkeypatch.setenv(name, value)
    launch(module, [str(folder)], processes=2, folder=folder, threads=1, say=say)


@pytest.mark.slow
@pytest.mark.parametrize("crash", ["1:hang:8", "0:hang:8", "0:step:8", "1:step:8",
                                   "0:write-flushed-step-0000006.pt"])
def test_launch_starts_dead_or_hanging_ranks_afresh(reference, tmp_path, monkeypatch, crash):
    said = []
    run_launch(tmp_path, monkeypatch, crash=crash, say=said.append)
    assert run_digest(tmp_path) == run_digest(reference)
    assert "a rank died or hung; going on from step" in " ".join(said)
    assert not live_ranks(tmp_path)


def test_what_ranks_that_cannot_start_said_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setattr(launch_module, "STARTS_WITHOUT_PROGRESS", 1)
    with pytest.raises(ResourceError, match="E-RANK the ranks ended 1 times") as caught:
        run_launch(tmp_path, monkeypatch, module="no_such_module")
    assert "No module named no_such_module" in str(caught.value)
    assert "(exitcode: 1)" in str(caught.value) and "ChildFailedError" not in str(caught.value)


def launch_with(monkeypatch, folder, starts):
    """`launch` with `starts` in place of torchrun: each is called with the folder, in turn."""
    def run_ranks(command, processes, folder, threads, say):
        atomic_write(folder / "ranks.log", "")
        return starts.pop(0)(folder), False
    monkeypatch.setattr(launch_module, "_run_ranks", run_ranks)
    launch("toy_rank", [], processes=2, folder=folder, threads=1, say=lambda text: None)


def dies(folder):
    return 1


def advances(folder):
    checkpoints = Checkpoints(folder / "checkpoints", {})
    checkpoints.save(checkpoints.newest + 1, {})
    return 1


def test_launch_gives_up_after_three_starts_without_progress(tmp_path, monkeypatch):
    starts = [dies, dies, dies, dies]
    with pytest.raises(ResourceError, match="E-RANK the ranks ended 3 times"):
        launch_with(monkeypatch, tmp_path, starts)
    assert len(starts) == 1


def test_launch_goes_on_as_long_as_there_is_progress(tmp_path, monkeypatch):
    starts = [dies, dies, advances, dies, advances, dies, dies, lambda folder: 0]
    launch_with(monkeypatch, tmp_path, starts)
    assert starts == []


def test_an_error_of_a_rank_is_raised_where_it_was_launched(tmp_path, monkeypatch):
    def diverges(folder):
        os.environ.update(RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", LOCAL_RANK="0",
                          MASTER_PORT=str(free_port()))
        with process_group(folder) as ranks:
            toy_train(folder, ranks=ranks, base_lr=1e30)

    def start(folder):
        return in_child(diverges, folder)

    with pytest.raises(DivergedError, match="E-DIVERGED"):
        launch_with(monkeypatch, tmp_path, [start])
    with pytest.raises(ResourceError):  # a report of an earlier start is not raised again
        launch_with(monkeypatch, tmp_path, [dies, dies, dies])


def live_ranks(folder) -> list[str]:
    lines = subprocess.run(["ps", "-eo", "pid,stat,args"], capture_output=True,
                           text=True).stdout.splitlines()
    return [line for line in lines if str(folder) in line and " Z" not in line]


STARTER = """
import sys
from pathlib import Path
from deeplab.runs.launch import launch
folder = Path(sys.argv[1])
try:
    launch("toy_rank", [str(folder)], processes=2, folder=folder, threads=1)
except Exception as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("number", [
    signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
def test_the_ranks_stop_or_end_with_the_process_that_launched_them(tmp_path, number):
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path)],
                               env=os.environ | {"PYTHONPATH": f"{HELPERS}{os.pathsep}"
                                                 f"{os.environ.get('PYTHONPATH', '')}"},
                               stdout=subprocess.PIPE, text=True)
    log = tmp_path / "log.jsonl"
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not (log.exists() and "step" in log.read_text()):
        time.sleep(0.05)
    starter.send_signal(number)
    output, _ = starter.communicate(timeout=60)
    if number == signal.SIGTERM:
        assert starter.returncode == Stopped.exit_code, output
        assert 0 < newest_state(tmp_path)["step"] <= STEPS
    deadline = time.monotonic() + 5
    while live_ranks(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert live_ranks(tmp_path) == []


def agents(folder, port, **more):
    """The torchruns of two machines with one rank each, started as the README starts them."""
    variables = os.environ | more | {"PYTHONPATH": f"{HELPERS}{os.pathsep}"
                                     f"{os.environ.get('PYTHONPATH', '')}"}
    return [subprocess.Popen(
        [sys.executable, "-m", "deeplab.runs.launch", "--nnodes", "2", "--node-rank", str(number),
         "--nproc-per-node", "1", "--max-restarts", "0", "--master-addr", "127.0.0.1",
         "--master-port", str(port), "-m", "toy_rank", str(folder)],
        env=variables, stderr=subprocess.PIPE, text=True) for number in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("told, late", [(0, 1), (1, 0)])
def test_both_machines_end_with_75_when_one_is_signalled_and_has_ended_first(
        tmp_path, told, late):
    """SLURM signals its nodes one after the other, and one of them may be slower to end."""
    log = tmp_path / "log.jsonl"
    nodes = agents(tmp_path, free_port(), TOY_LINGER=f"{late}:3")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.exists() and "loss" in log.read_text()):
        time.sleep(0.05)
    nodes[told].send_signal(signal.SIGUSR1)
    errors = [node.communicate(timeout=60)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [Stopped.exit_code] * 2, "\n".join(errors)
    assert "E-RANK" not in "".join(errors) and "Traceback" not in "".join(errors)


def test_a_store_that_ends_with_the_first_machine_is_a_lost_rank(tmp_path, monkeypatch):
    """The first agent keeps it; PyTorch's words for its end name neither gloo nor a peer."""
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setattr(Ranks, "join", lambda **options: SINGLE_PROCESS)
    port = free_port()
    kept = torch.distributed.TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)
    store = torch.distributed.TCPStore("127.0.0.1", port, is_master=False)
    with (pytest.raises(ResourceError, match="E-RANK rank 1 lost another one"),
          process_group(tmp_path)):
        del kept
        store.set("asked", "again")
        store.get("never")


@pytest.mark.parametrize("ended", ["by a signal", "by its ranks"])
def test_a_second_signal_of_an_agent_that_ends_changes_nothing(monkeypatch, ended):
    from torch.distributed.elastic.multiprocessing import SignalException
    earlier = {number: signal.getsignal(number) for number in launch_module.SIGNALS}
    monkeypatch.setattr(launch_module, "die_with_parent", lambda: None)
    for name in ("DEEPLAB_PARENT", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT"):
        monkeypatch.setenv(name, "")  # which it sets itself

    def agent(arguments):
        signal.signal(signal.SIGUSR1, lambda *_: pytest.fail("the second signal was heard"))
        if ended == "by a signal":
            raise SignalException("the first", signal.SIGUSR1)
        return Stopped.exit_code

    monkeypatch.setattr(launch_module, "_agent", agent)
    try:
        with pytest.raises(SystemExit) as caught:
            launch_module.main()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert caught.value.code == Stopped.exit_code
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def test_a_machine_that_is_not_met_is_said_in_one_line(tmp_path):
    variables = os.environ | {"PET_RDZV_CONF": "timeout=1"}
    done = subprocess.run(
        [sys.executable, "-m", "deeplab.runs.launch", "--nnodes", "2", "--node-rank", "1",
         "--master-addr", "127.0.0.1", "--master-port", str(free_port()), "-m", "toy_rank",
         str(tmp_path)], env=variables, capture_output=True, text=True, timeout=120)
    assert done.returncode == ResourceError.exit_code, done.stderr
    assert "E-RANK the machine at which all meet is not there" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("exits, code, said", [
    ({0: 75, 1: 75}, 75, ""), ({0: 75, 1: -signal.SIGUSR1}, 75, ""),
    ({0: 75, 1: -signal.SIGABRT}, 75, "E-RANK rank 1 was ended by SIGABRT\n"),
    ({0: -signal.SIGKILL}, 1, "E-RANK rank 0 was ended by SIGKILL\n"), ({0: 5, 1: 1}, 5, "")])
def test_the_agent_ends_as_its_ranks_do_and_names_what_ended_one(
        monkeypatch, capsys, exits, code, said):
    def torchrun(words):
        raise ChildFailedError("toy", {rank: SimpleNamespace(
            exitcode=number, local_rank=rank, pid=1, message="", error_file="",
            timestamp=0, timestamp_isoformat=lambda: "", signal_name=lambda: "") for
            rank, number in exits.items()})

    monkeypatch.setattr("torch.distributed.run.main", torchrun)
    assert _agent([]) == code
    assert capsys.readouterr().err == said


def test_a_first_machine_that_ended_before_the_farewell_leaves_no_traceback(monkeypatch, caplog):
    import inspect

    from torch.distributed.elastic.agent.server import api
    assert "exit barrier" in inspect.getsource(api.SimpleElasticAgent._exit_barrier)

    def torchrun(words):
        try:
            raise ConnectionError("the store is gone")
        except ConnectionError:
            api.logger.exception("Error waiting on exit barrier. Elapsed: %s seconds", 0.1)
        api.logger.error("another error")

    monkeypatch.setattr("torch.distributed.run.main", torchrun)
    monkeypatch.setattr(api.logger, "propagate", True)
    assert api.logger.name == AGENT_LOGGER and _agent([]) == 0
    assert [record.getMessage() for record in caplog.records] == ["another error"]
