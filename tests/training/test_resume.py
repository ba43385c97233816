"""Stop anywhere, go on, and end with the same bits; and nothing is saved that is not needed."""

import json
import os
import random
import signal
import time

import numpy as np
import pytest
import torch
from toy_training import (KILLED, POINTS, STEPS, ToySet, in_child, log_lines, newest_state,
                          newest_step, run_digest, state_digest, toy_model, toy_train)

from deeplab.support.errors import (CheckpointError, DivergedError, LockedError, ResourceError,
                                    UsageError)
from deeplab.support.files import sha256
from deeplab.support.locks import TRAINER, locked
from deeplab.support.torch_errors import translate_torch_errors
from deeplab.training import loop


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("reference")
    assert in_child(toy_train, folder) == 0
    return folder


def temporaries(folder):
    return list(folder.rglob(".tmp-*"))


def test_two_fresh_processes_give_the_same_bits(reference, tmp_path):
    assert in_child(toy_train, tmp_path) == 0
    assert run_digest(tmp_path) == run_digest(reference)


def test_another_seed_gives_other_bits(reference, tmp_path):
    assert in_child(toy_train, tmp_path, seed=4) == 0
    assert run_digest(tmp_path) != run_digest(reference)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_named_point_changes_no_bit(reference, tmp_path, point):
    assert in_child(toy_train, tmp_path, crash=point) == KILLED
    assert in_child(toy_train, tmp_path) == 0
    assert run_digest(tmp_path) == run_digest(reference)


@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_jumped_changes_no_bit(reference, tmp_path, years):
    assert in_child(toy_train, tmp_path, crash="step:5") == KILLED
    for path in [*tmp_path.rglob("*")]:
        os.utime(path, (then := time.time() + years * 365 * 86_400, then))
    assert in_child(toy_train, tmp_path) == 0
    assert run_digest(tmp_path) == run_digest(reference)


def test_chains_of_kills_change_no_bit(reference, tmp_path):
    rng, mid_epoch, hits = random.Random(0), 0, 0
    for chain in range(4):
        folder = tmp_path / str(chain)
        for _ in range(rng.randint(2, 5)):
            code = in_child(toy_train, folder, crash=f"step:{rng.randint(1, 6)}")
            hits += code == KILLED
            if (folder / "checkpoints" / "checkpoints.json").exists():
                mid_epoch += newest_state(folder)["step"] % 6 != 0
        assert in_child(toy_train, folder) == 0
        assert run_digest(folder) == run_digest(reference)
    assert hits >= 8 and mid_epoch >= 4  # or the test would show nothing


def test_kills_at_random_times_change_no_bit(reference, tmp_path):
    rng, hits = random.Random(1), 0
    while hits < 4:
        child = os.fork()
        if child == 0:
            toy_train(tmp_path)
            os._exit(0)
        time.sleep(rng.uniform(0.05, 0.5))
        os.kill(child, signal.SIGKILL)
        hits += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        if hits < 4 and (tmp_path / "checkpoints").exists() and (
                newest_state(tmp_path)["step"] == STEPS):
            break
    assert in_child(toy_train, tmp_path) == 0
    assert run_digest(tmp_path) == run_digest(reference)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_loader_processes_changes_no_bit(reference, tmp_path, workers):
    assert in_child(toy_train, tmp_path, workers=workers, crash="step:7") == KILLED
    assert in_child(toy_train, tmp_path, workers=workers) == 0
    assert run_digest(tmp_path) == run_digest(reference)


def test_evaluations_do_not_change_the_training(reference, tmp_path):
    assert in_child(toy_train, tmp_path, evaluate_every=100, scored=1) == 0
    ours, theirs = newest_state(tmp_path), newest_state(reference)
    assert state_digest(ours) == state_digest(theirs)
    losses = [[line["loss"] for line in log_lines(folder) if "loss" in line]
              for folder in (tmp_path, reference)]
    assert losses[0] == losses[1] and len(losses[0]) == STEPS


def test_the_global_random_states_of_python_and_numpy_are_not_touched(tmp_path):
    before = random.getstate(), np.random.get_state()[1].tolist()
    toy_train(tmp_path, stop_step=3)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_no_step_is_logged_twice_and_the_clock_goes_on(tmp_path):
    in_child(toy_train, tmp_path, crash="step:8")
    in_child(toy_train, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, STEPS + 1))
    seconds = [line["seconds"] for line in lines if "seconds" in line]
    assert seconds == sorted(seconds)


def forget_weights(state):
    state["model"] = {name: fresh if name.endswith(("weight", "bias")) else state["model"][name]
                      for name, fresh in toy_model(seed=9).state_dict().items()}


def forget_buffer(ending):
    def forget(state):
        for name, value in state["model"].items():
            if name.endswith(ending):
                value.fill_(1 if ending == "running_var" else 0)
    return forget


def forget_log_size(state):
    state["log_size"] = state["log_sha256"] = None  # stands for "do not cut"


FORGETS = {
    "weights": forget_weights,
    "BatchNorm means": forget_buffer("running_mean"),
    "BatchNorm variances": forget_buffer("running_var"),
    "BatchNorm counts": forget_buffer("num_batches_tracked"),
    "momenta": lambda state: state["optimizer"].update(state={}),
    "parameter groups": lambda state: state["optimizer"]["param_groups"][0].update(momentum=0),
    "random state": lambda state: state.update(torch_rng=[torch.Generator().manual_seed(3)
                                                          .get_state()]),
    "step": lambda state: state.update(step=state["step"] - 1),
    "log size": forget_log_size,
}


def change_newest(run, change):
    """Replace the newest checkpoint of a run by one that `change` was applied to."""
    state, folder = newest_state(run), run / "checkpoints"
    change(state)
    state["log_size"] = state["log_size"] or (run / "log.jsonl").stat().st_size
    entries = json.loads((folder / "checkpoints.json").read_text())
    torch.save(state, folder / entries[-1]["file"])
    entries[-1]["sha256"] = sha256(folder / entries[-1]["file"])
    (folder / "checkpoints.json").write_text(json.dumps(entries))


@pytest.mark.parametrize("item", FORGETS)
def test_every_saved_item_is_needed(reference, tmp_path, item):
    assert in_child(toy_train, tmp_path, crash="step:8") == KILLED
    assert newest_step(tmp_path) == 6
    change_newest(tmp_path, FORGETS[item])
    code = in_child(toy_train, tmp_path)
    if item == "step":  # another one than the manifest says is refused
        assert code == CheckpointError.exit_code
    else:
        assert code == 0 and run_digest(tmp_path) != run_digest(reference)


def test_the_gradient_scale_of_mixed_precision_is_needed(tmp_path):
    digests = []
    for name, forgets in (("whole", None), ("resumed", False), ("forgotten", True)):
        folder = tmp_path / name
        if forgets is not None:
            assert in_child(toy_train, folder, precision="float16", crash="step:8") == KILLED
        if forgets:
            change_newest(folder, lambda state: state["scaler"].update(scale=2.0))
        assert in_child(toy_train, folder, precision="float16") == 0
        digests.append(run_digest(folder))
    assert digests[0] == digests[1] != digests[2]


def test_nothing_is_saved_beside_what_the_control_covers(reference):
    assert set(newest_state(reference)) == {
        "identity", "step", "model", "optimizer", "scaler", "torch_rng", "log_size",
        "log_sha256", "seconds"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_the_step_and_ends_with_75(reference, tmp_path, number):
    def signalled():
        real, calls = loop.train_step, []

        def train_step(*arguments, **options):
            calls.append(1)
            if len(calls) == 8:
                os.kill(os.getpid(), number)
                os.kill(os.getpid(), number)  # a group often gets a signal twice
            return real(*arguments, **options)
        loop.train_step = train_step
        toy_train(tmp_path)

    assert in_child(signalled) == 75
    assert newest_state(tmp_path)["step"] == 8
    assert in_child(toy_train, tmp_path) == 0
    assert state_digest(newest_state(tmp_path)) == state_digest(newest_state(reference))
    assert log_lines(tmp_path) == log_lines(reference)


def test_a_signal_during_an_evaluation_ends_it(reference, tmp_path):
    def signalled():
        from deeplab.training import signals
        real, calls = signals.crash_point, []

        def crash_point(name):
            calls.append(name)
            if len(calls) == 2:
                os.kill(os.getpid(), signal.SIGTERM)
            real(name)
        signals.crash_point = crash_point
        toy_train(tmp_path)

    assert in_child(signalled) == 75
    assert newest_state(tmp_path)["step"] == 5 and "miou" not in log_lines(tmp_path)[-1]
    assert in_child(toy_train, tmp_path) == 0
    assert run_digest(tmp_path) == run_digest(reference)


def test_a_run_cut_short_goes_on_to_the_whole_length(reference, tmp_path):
    assert in_child(toy_train, tmp_path, stop_step=7) == 0
    assert in_child(toy_train, tmp_path) == 0
    assert state_digest(newest_state(tmp_path)) == state_digest(newest_state(reference))
    with pytest.raises(UsageError, match="E-STEPS.*\n.*\n.*step 12"):
        toy_train(tmp_path, stop_step=7)


def broken_at(step, action):
    """Call `action(model)` at the end of step number `step` of a training."""
    real, calls = loop.train_step, []

    def train_step(network, *arguments, **options):
        losses = real(network, *arguments, **options)
        calls.append(1)
        return action(network, losses) if len(calls) == step else losses
    return train_step


def infinite_weight(network, losses):
    with torch.no_grad():
        network.classifier[1].weight[0, 0] = torch.inf
    return losses


def infinite_loss(network, losses):
    return losses._replace(total=losses.total * torch.nan)


@pytest.mark.parametrize("action, step", [(infinite_weight, 6), (infinite_loss, 5)])
def test_a_weight_or_loss_that_is_not_finite_is_never_saved(tmp_path, monkeypatch, action, step):
    monkeypatch.setattr(loop, "train_step", broken_at(step, action))
    with pytest.raises(DivergedError, match="E-DIVERGED.* step"):
        toy_train(tmp_path)
    assert newest_state(tmp_path)["step"] < step


def test_no_memory_is_said_in_our_words(tmp_path, monkeypatch):
    def out_of_memory(network, losses):
        return torch.empty(2 ** 60)

    monkeypatch.setattr(loop, "train_step", broken_at(4, out_of_memory))
    with pytest.raises(ResourceError, match="E-OOM.*4 images"):
        toy_train(tmp_path)
    assert newest_state(tmp_path)["step"] == 3


def test_a_killed_loader_process_is_said_in_our_words(tmp_path):
    class Deadly(ToySet):
        def __getitem__(self, index):
            if index == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__getitem__(index)

    with pytest.raises(ResourceError, match="E-WORKER(.|\n)*--workers 0"):
        toy_train(tmp_path, data=Deadly(), workers=1)


def test_the_late_notice_of_a_killed_loader_interrupts_nothing_else():
    """The connection breaks first; the signal handler raises a moment later."""
    def notice(number, frame):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.")

    previous = signal.signal(signal.SIGALRM, notice)
    try:
        with pytest.raises(ResourceError, match="E-WORKER(.|\n)*Connection reset by peer"):
            with translate_torch_errors("a step", workers=1):
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                raise ConnectionResetError(104, "Connection reset by peer")
        time.sleep(0.1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def test_a_log_with_a_changed_byte_is_refused_and_one_of_an_earlier_version_is_not(tmp_path):
    toy_train(tmp_path, stop_step=6, scored=0)
    path = tmp_path / "log.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"step": 1,', b'"step": 7,', 1))
    with pytest.raises(CheckpointError, match=r"E-LOG the log is another(.|\n)*put the log back"):
        toy_train(tmp_path, scored=0)
    path.write_bytes(whole + b'{"step": 99}\n')  # what follows is cut off, as ever
    toy_train(tmp_path, stop_step=7, scored=0)
    assert path.read_bytes().startswith(whole[:newest_state(tmp_path)["log_size"] // 2])
    change_newest(tmp_path, lambda state: state.pop("log_sha256"))
    path.write_bytes(path.read_bytes().replace(b'"step": 1,', b'"step": 7,', 1))
    toy_train(tmp_path, stop_step=8, scored=0)


def test_two_trainings_in_one_folder_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "TRAINER_LOCK_SECONDS", 0.1)
    with locked(tmp_path / TRAINER), pytest.raises(LockedError, match=f"pid {os.getpid()}"):
        toy_train(tmp_path)


def test_half_written_files_are_never_read(reference, tmp_path):
    in_child(toy_train, tmp_path, crash="write-flushed-step-0000009.pt")
    assert temporaries(tmp_path)
    assert in_child(toy_train, tmp_path) == 0
    assert run_digest(tmp_path) == run_digest(reference)
