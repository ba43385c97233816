"""Checkpoints written beside the training: the same bits, whatever happens meanwhile."""

import os
import signal
import threading

import pytest
import torch
from toy_training import (KILLED, POINTS, in_child, newest_state, newest_step, run_digest,
                          state_digest, toy_train)

from deeplab.support.errors import ResourceError
from deeplab.training import loop, session
from deeplab.training.checkpoint import Checkpoints, snapshot


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The folder of a run that wrote its checkpoints between the steps."""
    folder = tmp_path_factory.mktemp("reference")
    assert in_child(toy_train, folder) == 0
    return folder


@pytest.fixture(autouse=True)
def in_thread(monkeypatch):
    """A CPU writes its checkpoints as a GPU does."""
    monkeypatch.setattr(session, "IN_THREAD", ("cpu",))


def test_a_run_that_writes_beside_its_steps_has_the_same_bits(reference, tmp_path):
    threads, save = set(), Checkpoints.save

    def watched(*arguments):
        threads.add(threading.current_thread())
        return save(*arguments)

    def run():
        Checkpoints.save = watched
        toy_train(tmp_path)
        assert threads and threading.main_thread() not in threads
    assert in_child(run) == 0
    assert run_digest(tmp_path) == run_digest(reference)


@pytest.mark.parametrize("point", [point for point in POINTS if "step-0000006" in point] + [
    "checkpoint-before-manifest", "write-synced-checkpoints.json", "step:8"])
def test_a_kill_at_a_named_point_changes_no_bit(reference, tmp_path, point):
    assert in_child(toy_train, tmp_path, crash=point) == KILLED
    assert in_child(toy_train, tmp_path) == 0
    assert run_digest(tmp_path) == run_digest(reference)


def test_what_is_written_is_the_state_of_its_step_however_late(tmp_path):
    """The thread waits with the checkpoint of step 6 until step 8 has been made."""
    def late():
        go, real, save = threading.Event(), loop.train_step, Checkpoints.save
        calls = []

        def train_step(*arguments, **options):
            losses = real(*arguments, **options)
            calls.append(1)
            if len(calls) == 8:
                go.set()
            return losses

        def saved(self, step, state):
            assert step != 6 or go.wait(20)
            return save(self, step, state)
        loop.train_step, Checkpoints.save = train_step, saved
        toy_train(tmp_path / "late", stop_step=8, evaluate_every=100)

    assert in_child(late) == 0
    assert in_child(toy_train, tmp_path / "whole", stop_step=6, evaluate_every=100) == 0
    folder = tmp_path / "late" / "checkpoints"
    state = torch.load(folder / "step-0000006.pt", weights_only=True)
    assert state_digest(state) == state_digest(newest_state(tmp_path / "whole"))
    assert newest_step(tmp_path / "late") == 8


def test_a_snapshot_shares_nothing_with_what_it_was_taken_of():
    state = {"model": {"w": torch.zeros(2)}, "optimizer": {"state": {0: {"m": torch.zeros(2)}}},
             "rng": [torch.zeros(2)], "step": 3}
    taken = snapshot(state)
    for tensor in (state["model"]["w"], state["optimizer"]["state"][0]["m"], *state["rng"]):
        tensor.fill_(1)
    assert state_digest(taken) != state_digest(state)
    assert taken["model"]["w"].sum() == taken["optimizer"]["state"][0]["m"].sum() == 0
    assert taken["rng"][0].sum() == 0 and taken["step"] == 3


@pytest.mark.parametrize("step", [3, 12])
def test_a_full_disk_in_the_thread_ends_the_run_with_5(tmp_path, monkeypatch, step):
    save = Checkpoints.save

    def full(self, number, state):
        if number == step:
            raise ResourceError.of("E-DISK", "no space to write")
        return save(self, number, state)
    monkeypatch.setattr(Checkpoints, "save", full)
    with pytest.raises(ResourceError, match="E-DISK") as caught:
        toy_train(tmp_path)
    assert caught.value.exit_code == 5
    assert newest_step(tmp_path) == (0 if step == 3 else 10)


@pytest.mark.parametrize("fails, code", [(False, 75), (True, 5)])
def test_stopped_is_said_only_when_the_last_checkpoint_is_written(tmp_path, fails, code):
    def signalled():
        real, calls, save = loop.train_step, [], Checkpoints.save

        def train_step(*arguments, **options):
            calls.append(1)
            if len(calls) == 8:
                os.kill(os.getpid(), signal.SIGTERM)
            return real(*arguments, **options)

        def saved(self, step, state):
            if fails and step == 8:
                raise ResourceError.of("E-DISK", "no space to write")
            return save(self, step, state)
        loop.train_step, Checkpoints.save = train_step, saved
        toy_train(tmp_path)

    assert in_child(signalled) == code
    assert newest_step(tmp_path) == (6 if fails else 8)


@pytest.mark.parametrize("seconds, wanted", [(0, [1, 2, 3, 4, 5, 6, 7]), (600, [3, 6, 7])])
def test_a_checkpoint_is_written_when_time_has_passed(tmp_path, monkeypatch, seconds, wanted):
    steps, save = [], Checkpoints.save

    def saved(self, step, state):
        steps.append(step)
        return save(self, step, state)
    monkeypatch.setattr(Checkpoints, "save", saved)
    monkeypatch.setattr(session, "CHECKPOINT_SECONDS", seconds)
    toy_train(tmp_path, stop_step=7, evaluate_every=100, scored=1)
    assert steps == wanted
