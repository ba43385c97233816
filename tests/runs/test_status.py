"""How a run stands, from logs written by hand."""

import json
import os
import time

import pytest

from deeplab.runs.status import Status, duration, read_status, status_line, whereabouts
from deeplab.support.locks import locked

LOG = ({"step": 0, "total_steps": 200}, {"step": 10, "loss": 2.5, "seconds": 4.0},
       {"step": 50, "loss": 1.5, "seconds": 20.0}, {"step": 50, "miou": 12.5, "seconds": 25.0})


@pytest.fixture
def run(tmp_path):
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LOG))
    return tmp_path


def test_a_run_that_never_started_waits(tmp_path):
    assert read_status(tmp_path / "none") == Status("waiting")


def test_a_run_that_holds_its_lock_starts_and_then_runs(tmp_path, run):
    with locked(tmp_path / "other/lock"):
        assert read_status(tmp_path / "other").state == "starting"
    with locked(run / "lock"):
        status = read_status(run)
    assert status.state == "running" and status.owner[0] == os.getpid()
    assert (status.step, status.total_steps, status.loss, status.miou) == (50, 200, 1.5, 12.5)
    assert status.eta == 150 * 25 / 50 and status.progress == 0.25


def test_a_run_without_an_owner_has_stopped(run):
    status = read_status(run)
    assert (status.state, status.owner, status.step) == ("stopped", None, 50)


def test_the_age_is_that_of_the_last_line(run):
    os.utime(run / "log.jsonl", (0, time.time() - 100))
    assert read_status(run).age == pytest.approx(100, abs=5)


def test_a_result_makes_it_done_unless_it_runs_again(run):
    (run / "result.json").write_text('{"steps": 200, "total_steps": 200, "miou": 33.25}')
    status = read_status(run)
    assert (status.state, status.progress, status.miou) == ("done", 1.0, 33.25)
    with locked(run / "lock"):
        assert read_status(run).state == "running"


def test_a_run_that_was_asked_to_stop_early_has_ended_and_is_not_done(run):
    (run / "result.json").write_text('{"steps": 50, "total_steps": 200, "miou": 12.5}')
    status = read_status(run)
    assert (status.state, status.progress) == ("ended", 0.25)
    assert "ended " in status_line("row", status) and "done" not in status_line("row", status)


def test_a_run_of_papermill_or_torchrun_is_at_work_too(run):
    (run / "log.jsonl").write_text('{"step": 0, "total_steps": 200, "processes": 8}\n')
    with locked(run / "trainer.lock"):
        status = read_status(run)
    assert status.state == "running" and status.owner[0] == os.getpid()
    assert "8 ranks" in whereabouts(status, [])


def test_the_time_left_is_that_to_the_steps_asked_for(run):
    folder = run / "demo/voc_r50_d8/seed0"
    folder.mkdir(parents=True)
    (run / "log.jsonl").rename(folder / "log.jsonl")
    (folder / "run.json").write_text('{"parameters": {"row_id": "voc_r50_d8", "max_steps": 60}}')
    assert read_status(folder).eta == 10 * 25 / 50 and read_status(folder).progress == 0.25


def test_half_a_line_does_not_count_yet(run):
    with open(run / "log.jsonl", "a") as file:
        file.write('{"step": 60, "lo')
    assert read_status(run).step == 50


def test_the_line_shows_state_progress_loss_score_and_time_left():
    line = status_line("voc_r50_d8", Status("running", 50, 200, 1.5, 12.5, 1.0, 75.0))
    assert line == ("voc_r50_d8         running  ###.........  25 %  loss  1.500  mIoU 12.50  "
                    "1 min 15 s to go")
    assert "to go" not in status_line("voc_r50_d8", Status("stopped", 50, 200, eta=75.0))
    assert "loss" not in status_line("voc_r50_d8", Status("waiting"))


def test_a_stopped_run_is_told_how_it_goes_on_and_a_running_one_where_it_is():
    assert whereabouts(Status("stopped"), ["run", "voc_r50_d8", "--data-root", "my data"]) == (
        "go on with: deeplab run voc_r50_d8 --data-root 'my data'")
    assert "process 7 on here" in whereabouts(Status("running", age=3.0, owner=(7, "here")), [])
    assert whereabouts(Status("waiting"), []) is None


@pytest.mark.parametrize("seconds, text", [
    (0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s"), (3599, "59 min 59 s"),
    (3600, "1 h 00 min"), (7800, "2 h 10 min")])
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
