"""A row is whole or not there, whatever moment its process is killed at."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

sys.path += [str(Path(__file__).parents[1] / part) for part in ("training", "faults")]

from small_table import (ROWS, damaged_files, draw_twins, in_child, row_digest,  # noqa: E402
                         shrink)
from toy_training import KILLED, newest_state  # noqa: E402

from deeplab.errors import DataError, KernelDied, LockedError, Stopped, UsageError  # noqa: E402
from deeplab.files import read_json, write_json  # noqa: E402
from deeplab.locks import is_locked, locked  # noqa: E402
from deeplab.table import fingerprint, notebook, run_row  # noqa: E402
from deeplab.table.config import RunConfig  # noqa: E402
from deeplab.table.experiment import Experiment  # noqa: E402
from deeplab.table.outcome import outcome_facts, save_outcome  # noqa: E402
from deeplab.table.results import collect  # noqa: E402

TRAINING = [f"write-{place}-{name}" for name in ("step-0000003.pt", "checkpoints.json")
            for place in ("begin", "flushed", "synced", "done")]
TRAINING += ["checkpoint-before-manifest", "step:1", "step:6", "evaluation:2", "evaluation:5"]
RUNNER = [f"write-{place}-{name}" for name in ("run.json", "outcome.json", "notebook.ipynb")
          for place in ("begin", "flushed", "synced", "done")]
RUNNER += ["before-notebook", "before-result", "after-result"]


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    return draw_twins(tmp_path_factory.mktemp("data"))


def execute_here(path, draft, parameters, *, folder):
    """What the notebook of a row does, without a kernel and without figures."""
    del os.environ["DEEPLAB_PARENT"]  # meant for a process of its own
    experiment = Experiment(RunConfig.of(**parameters))
    outcome = experiment.train()
    save_outcome(folder, outcome_facts(experiment, outcome, gmacs=1.0))
    cells = [nbformat.v4.new_code_cell("1", execution_count=1)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), draft)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    from deeplab.profiles import PROFILES
    monkeypatch.setitem(PROFILES, "demo", PROFILES["demo"])
    shrink()
    monkeypatch.setattr(run_row, "execute", execute_here)
    monkeypatch.setattr(fingerprint, "code", lambda: ["this code"])  # whoever edits it meanwhile
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def config_of(row_id, results, data_root, **more):
    return RunConfig.of(row_id=row_id, results_root=results, data_root=data_root, **more)


@pytest.fixture(scope="module")
def references(data_root, tmp_path_factory):
    """The digest of an undisturbed run of each row."""
    results, digests = tmp_path_factory.mktemp("results"), {}
    for row_id in ROWS:
        def run(row_id=row_id):
            shrink()
            run_row.execute, fingerprint.code = execute_here, lambda: ["this code"]
            run_row.run_row(config_of(row_id, results, data_root))
        assert in_child(run) == 0
        digests[row_id] = row_digest(results / "demo" / row_id / "seed0")
    assert len(set(digests.values())) == len(ROWS)
    return digests


@pytest.mark.parametrize("row_id", ROWS)
@pytest.mark.parametrize("point", TRAINING + RUNNER)
def test_a_row_killed_at_a_named_point_ends_as_if_nothing_had_happened(
        references, data_root, tmp_path, row_id, point):
    config = config_of(row_id, tmp_path, data_root)
    assert in_child(run_row.run_row, config, crash=point) == KILLED
    is_done = (config.folder / "result.json").exists()
    assert is_done == (point == "after-result")
    trained = newest_state(config.folder)["step"] if (
        config.folder / "checkpoints/checkpoints.json").exists() else 0
    assert in_child(run_row.run_row, config) == 0
    assert row_digest(config.folder) == references[row_id]
    assert damaged_files(tmp_path) == []
    if point in RUNNER[4:]:
        assert trained == 8  # nothing was left to train


def test_a_row_that_is_done_is_left_alone(references, data_root, tmp_path):
    config = config_of(ROWS[0], tmp_path, data_root)
    first = run_row.run_row(config)
    before = {path: path.stat().st_mtime_ns for path in config.folder.rglob("*")
              if path.name != "lock"}
    start = time.monotonic()
    assert run_row.run_row(config) == first and time.monotonic() - start < 5
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert collect(tmp_path, "demo")[0]["state"] == "done"


def test_a_row_keeps_the_threads_it_began_with(references, data_root, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(run_row, "execute",
                        lambda *arguments, **options: seen.append(os.environ["OMP_NUM_THREADS"]))
    config = config_of(ROWS[0], tmp_path, data_root)
    for threads in ("3", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        with pytest.raises(DataError, match="E-JSON"):  # this notebook leaves no outcome
            run_row.run_row(config)
        assert os.environ["OMP_NUM_THREADS"] == threads
    assert seen == ["3", "3"]


def test_what_an_older_version_left_is_set_aside(references, data_root, tmp_path, monkeypatch):
    config = config_of(ROWS[0], tmp_path, data_root)
    assert in_child(run_row.run_row, config, crash="step:3") == KILLED
    monkeypatch.setattr(fingerprint, "code", lambda: ["other code"])
    assert in_child(run_row.run_row, config) == 0
    aside = list(config.folder.parent.glob("seed0.old-*"))
    assert len(aside) == 1 and (aside[0] / "checkpoints/checkpoints.json").exists()
    assert not (aside[0] / "result.json").exists() and (config.folder / "result.json").exists()


def test_a_move_aside_that_was_killed_is_finished(data_root, tmp_path):
    folder = tmp_path / "seed0"
    write_json(folder / "run.json", {})
    write_json(folder / "checkpoints/checkpoints.json", [])
    real = run_row.replace_file
    moved = []

    def replace_once(source, target):
        if moved:
            raise KeyboardInterrupt
        moved.append(source.name)
        real(source, target)
    run_row.replace_file = replace_once
    try:
        with pytest.raises(KeyboardInterrupt):
            run_row._set_aside(folder, "abc")
    finally:
        run_row.replace_file = real
    assert moved == ["checkpoints"] and (folder / "run.json").exists()
    run_row._set_aside(folder, "abc")
    assert list(folder.iterdir()) == []


def test_a_change_during_the_run_is_noticed(references, data_root, tmp_path, monkeypatch):
    config, answers = config_of(ROWS[0], tmp_path, data_root), [["old"], ["old"], ["new"]]
    monkeypatch.setattr(fingerprint, "code", lambda: answers.pop(0) if answers else ["new"])
    answers.pop(0)
    with pytest.raises(UsageError, match="E-CHANGED(.|\n)*found: code"):
        run_row.run_row(config)
    assert not (config.folder / "result.json").exists()
    marked = nbformat.read(config.folder / "notebook.ipynb", as_version=4)
    assert "did not end" in marked.cells[0].source and "E-CHANGED" in marked.cells[0].source


def test_fifty_double_starts_have_one_writer_and_one_that_is_told_who(data_root, tmp_path):
    config = config_of(ROWS[0], tmp_path, data_root)
    with locked(config.folder / "lock"):
        for _ in range(50):
            start = time.monotonic()
            with pytest.raises(LockedError, match=f"E-LOCKED(.|\n)*pid {os.getpid()} on "):
                run_row.run_row(config)
            assert time.monotonic() - start < 2
    assert not (config.folder / "run.json").exists()


def test_fifty_killed_owners_leave_no_stale_lock(tmp_path):
    for _ in range(50):
        def own():
            with locked(tmp_path / "lock"):
                os.kill(os.getpid(), signal.SIGKILL)
        assert in_child(own) == KILLED
        assert not is_locked(tmp_path / "lock")
        with locked(tmp_path / "lock"):
            pass


def draft_of(folder, *counts):
    cells = [nbformat.v4.new_code_cell(f"{count}", execution_count=count,
                                       metadata={"papermill": {"status": "completed"}})
             for count in counts]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "draft")
    return folder / "draft"


def test_a_notebook_whose_kernel_died_says_so(tmp_path):
    error = KernelDied.of("E-KERNEL", "the kernel <died>")
    notebook.keep(draft_of(tmp_path, 1, None, None), tmp_path / "notebook.ipynb", error=error)
    kept = nbformat.read(tmp_path / "notebook.ipynb", as_version=4)
    nbformat.validate(kept)
    assert "did not end" in kept.cells[0].source and "&lt;died&gt;" in kept.cells[0].source
    states = [cell.metadata.papermill.status for cell in kept.cells[1:]]
    assert states == ["completed", "failed", "pending"] and kept.metadata.papermill.exception


def test_a_broken_draft_never_replaces_a_notebook(tmp_path):
    whole = draft_of(tmp_path, 1).read_text()
    for size in range(0, len(whole) - 3, max(1, len(whole) // 20)):
        (tmp_path / "notebook.ipynb").write_text(whole)
        (tmp_path / "draft").write_text(whole[:size])
        notebook.keep(tmp_path / "draft", tmp_path / "notebook.ipynb")
        assert (tmp_path / "notebook.ipynb").read_text() == whole
        assert not (tmp_path / "draft").exists()


def test_an_out_of_memory_kill_is_told_from_other_deaths(tmp_path):
    assert "killer struck 2 times" in str(notebook._kernel_died(tmp_path, OSError("died"), 2))
    assert "no out-of-memory kill" in str(notebook._kernel_died(tmp_path, OSError("died"), 0))
    assert notebook.out_of_memory_kills() >= 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_when_nothing_trains_stops_the_row(tmp_path, number):
    with pytest.raises(Stopped, match="E-STOPPED"), run_row.forwarded_signals(tmp_path):
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_is_passed_on_to_the_process_that_trains(tmp_path):
    script = ("import sys, time; from pathlib import Path; from deeplab.locks import locked\n"
              "from deeplab.training.signals import StopRequest\n"
              "with StopRequest() as stop, locked(Path(sys.argv[1])):\n"
              "    print('ready', flush=True)\n"
              "    while not stop.requested: time.sleep(0.01)\n"
              "    print('asked')")
    trainer = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "trainer.lock")],
                               stdout=subprocess.PIPE, text=True)
    assert trainer.stdout.readline() == "ready\n"
    with run_row.forwarded_signals(tmp_path):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # an echo, which must not end anything
        assert trainer.communicate(timeout=10)[0] == "asked\n"


def test_a_result_needs_its_record(references, data_root, tmp_path):
    config = config_of(ROWS[0], tmp_path, data_root)
    assert in_child(run_row.run_row, config, crash="before-result") == KILLED
    assert "miou" in read_json(config.folder / "outcome.json")
    assert collect(tmp_path, "demo")[0]["state"] == "unfinished"
