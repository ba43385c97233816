"""A row is whole or not there, whatever moment its process is killed at."""

import functools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from small_table import (CHAIN, KILLED, POINTS, ROWS, command, config_of, damaged_files,
                         environment, execute_here, exit_code, forked, in_child,
                         newest_step, reference_digests, row_digest, run_digest, shrink)

from deeplab.report.results import collect
from deeplab.runs import begin, fingerprint, notebook, run_row
from deeplab.support.errors import DataError, KernelDied, LockedError, Stopped, UsageError
from deeplab.support.files import read_json, write_json
from deeplab.support.locks import is_locked, locked
from deeplab.support.signals import SIGNALS


@pytest.fixture(autouse=True)
def small(monkeypatch):
    from deeplab.profiles import PROFILES
    monkeypatch.setitem(PROFILES, "demo", PROFILES["demo"])
    shrink()
    monkeypatch.setattr(run_row, "execute", execute_here)
    # whoever edits the code meanwhile
    monkeypatch.setattr(fingerprint, "code_identity", lambda: ["this code"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def references(data_root, results):
    """The digest of an undisturbed run of each row, below `results`."""
    return reference_digests(results, data_root)


@pytest.mark.parametrize("row_id", ROWS)
def test_a_row_killed_at_every_named_point_in_turn_ends_as_if_nothing_had_happened(
        references, data_root, tmp_path, row_id):
    config = config_of(row_id, tmp_path, data_root)
    for point, step in CHAIN:
        assert in_child(run_row.run_row, config, crash=point) == KILLED, point
        assert newest_step(config.folder) == step, point  # nothing is lost beyond a checkpoint
        assert (config.folder / "result.json").exists() == (point == "after-result")
        assert all(path.name.startswith(".tmp-") for path in damaged_files(tmp_path)), point
    assert in_child(run_row.run_row, config) == 0
    assert row_digest(config.folder) == references[row_id]
    assert damaged_files(tmp_path) == []


def test_the_named_points_are_all_that_the_package_has():
    sources = "".join(path.read_text(encoding="utf-8")
                      for path in Path(run_row.__file__).parents[1].rglob("*.py"))
    named = set(re.findall(r'crash_point\(f?"([a-z-]+)', sources))
    assert {point for point in named if "download" not in point} == {
        re.sub("(write-[a-z]+-).*|:.*", r"\1", point) for point in POINTS}


def test_a_killed_kernel_is_reported_as_one_and_the_same_command_goes_on(
        references, results, data_root, tmp_path):
    config = config_of(ROWS[0], tmp_path, data_root)
    words = command(*config.command)
    first = subprocess.run(words, env=environment(DEEPLAB_CRASH="step:5"), capture_output=True,
                           text=True, timeout=400)
    assert first.returncode == KernelDied.exit_code, first.stderr
    assert re.match("E-KERNEL the notebook's kernel ended without a word(.|\n)*"
                    "last logged step: 4(.|\n)*do: .*run the same command again", first.stderr)
    marked = nbformat.read(config.folder / "notebook.ipynb", as_version=4)
    assert "did not end" in marked.cells[0].source
    assert not (config.folder / "result.json").exists() and newest_step(config.folder) == 4
    again = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=400)
    assert again.returncode == 0, again.stderr
    assert "mIoU" in again.stdout
    assert run_digest(config.folder) == run_digest(results / "demo" / ROWS[0] / "seed0")
    cells = nbformat.read(config.folder / "notebook.ipynb", as_version=4).cells
    assert all(cell.execution_count for cell in cells if cell.cell_type == "code")


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


def contents(folder):
    """What the files of a run hold, and when they were written."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*")
            if path.is_file() and path.name != "lock"}


def test_what_older_code_left_is_kept_and_only_set_aside_when_asked(references, data_root, tmp_path,
                                                                    monkeypatch):
    config = config_of(ROWS[0], tmp_path, data_root)
    assert in_child(run_row.run_row, config, crash="step:3") == KILLED
    monkeypatch.setattr(fingerprint, "code_identity", lambda: ["other code"])
    before = contents(tmp_path)
    with pytest.raises(UsageError, match=r"E-STALE(.|\n)*a checkpoint of step 2(.|\n)*--again"):
        run_row.run_row(config)
    assert contents(tmp_path) == before
    assert in_child(functools.partial(run_row.run_row, again=True), config) == 0
    aside = list(config.folder.parent.glob("seed0.old-*"))
    assert len(aside) == 1 and (aside[0] / "checkpoints/checkpoints.json").exists()
    assert not (aside[0] / "result.json").exists() and (config.folder / "result.json").exists()


def test_a_move_aside_that_was_killed_is_finished(data_root, tmp_path):
    folder = tmp_path / "seed0"
    write_json(folder / "run.json", {})
    write_json(folder / "checkpoints/checkpoints.json", [])
    real = begin.replace_file
    moved = []

    def replace_once(source, target):
        if moved:
            raise KeyboardInterrupt
        moved.append(source.name)
        real(source, target)
    begin.replace_file = replace_once
    try:
        with pytest.raises(KeyboardInterrupt):
            begin.set_aside(folder, "abc")
    finally:
        begin.replace_file = real
    assert moved == ["checkpoints"] and (folder / "run.json").exists()
    begin.set_aside(folder, "abc")
    assert list(folder.iterdir()) == []


def test_a_change_during_the_run_is_noticed(references, data_root, tmp_path, monkeypatch):
    config, answers = config_of(ROWS[0], tmp_path, data_root), [["old"], ["old"], ["new"]]
    monkeypatch.setattr(fingerprint, "code_identity",
                        lambda: answers.pop(0) if answers else ["new"])
    answers.pop(0)
    with pytest.raises(UsageError, match="E-CHANGED(.|\n)*found: code"):
        run_row.run_row(config)
    assert not (config.folder / "result.json").exists()
    marked = nbformat.read(config.folder / "notebook.ipynb", as_version=4)
    assert "did not end" in marked.cells[0].source and "E-CHANGED" in marked.cells[0].source


def start_against_another(config, number):
    """Run a row against another process that does, and note how long it took to be refused."""
    def write(*arguments, **options):
        (config.folder / f"writer-{number}").touch()
        deadline = time.monotonic() + 30
        while not list(config.folder.glob("refused-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        raise Stopped("E-STOPPED")

    run_row.execute, start = write, time.monotonic()
    begin.software = begin.fingerprint = lambda *arguments: {}
    try:
        run_row.run_row(config)
    except LockedError as error:
        write_json(config.folder / f"refused-{number}",
                   {"seconds": time.monotonic() - start, "text": str(error)})
        raise


def test_fifty_double_starts_have_one_writer_and_one_that_is_told_who(data_root, tmp_path):
    configs = [config_of(ROWS[0], tmp_path / str(number), data_root) for number in range(50)]
    children = []
    for config in configs:
        children.append([forked(start_against_another, config, number) for number in "ab"])
        time.sleep(0.02)  # or the machine would be busy with a hundred starts at once
    for config, pair in zip(configs, children, strict=True):
        assert sorted(map(exit_code, pair)) == [LockedError.exit_code, Stopped.exit_code]
        assert len(list(config.folder.glob("writer-*"))) == 1
        refused = read_json(next(config.folder.glob("refused-*")))
        assert refused["seconds"] < 2
        assert re.match(r"E-LOCKED(.|\n)*found: pid \d+ on \S+ since ", refused["text"])


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
    notebook.publish_notebook(draft_of(tmp_path, 1, None, None), tmp_path / "notebook.ipynb",
                              error=error)
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
        notebook.publish_notebook(tmp_path / "draft", tmp_path / "notebook.ipynb")
        assert (tmp_path / "notebook.ipynb").read_text() == whole
        assert not (tmp_path / "draft").exists()


def test_an_out_of_memory_kill_is_told_from_other_deaths(tmp_path):
    assert "killer struck 2 times" in str(notebook._kernel_died(tmp_path, OSError("died"), 2))
    assert "no out-of-memory kill" in str(notebook._kernel_died(tmp_path, OSError("died"), 0))
    assert notebook.out_of_memory_kills() >= 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_when_nothing_trains_stops_the_row(tmp_path, number):
    before = signal.getsignal(number)
    with pytest.raises(Stopped, match="E-STOPPED"), run_row.forwarded_signals(tmp_path):
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert signal.getsignal(number) is before


def test_a_signal_is_passed_on_to_the_process_that_trains(tmp_path):
    script = ("import sys, time; from pathlib import Path\n"
              "from deeplab.support.locks import locked\n"
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
