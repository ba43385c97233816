"""The command: every help, every exit code, errors as one text and never as a traceback."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deeplab import __version__
from deeplab.cli.main import main
from deeplab.runs import run_row as run_row_module
from deeplab.runs.config import RunConfig
from deeplab.support import errors
from deeplab.support.files import write_json
from deeplab.support.locks import locked

EXIT_CODES = {"DeeplabError": 1, "UsageError": 2, "DataError": 3, "CheckpointError": 4,
              "ResourceError": 5, "DivergedError": 6, "LockedError": 7, "Stopped": 75,
              "KernelDied": 138}


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def commands(group=main, path=()):
    """The words of every command and group."""
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def fails(*words, code, text):
    """Assert that a command ends with `code` and one clear text, on stderr."""
    result = invoke(*words)
    assert result.exit_code == code, result.output
    assert text in result.stderr and "Traceback" not in result.output and result.stdout == ""
    return result


@pytest.mark.parametrize("words", [*commands()], ids=" ".join)
def test_every_command_explains_itself_and_every_option(words):
    result = invoke(*words, "--help")
    assert result.exit_code == 0 and result.output.startswith("Usage: ")
    command = main
    for word in words:
        command = command.commands[word]
    assert command.help.strip().endswith((".", ")"))
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{words} {option.name} has no help"


def test_a_second_ctrl_c_is_a_stop_too(monkeypatch):
    def pressed(*arguments, **options):
        raise KeyboardInterrupt
    monkeypatch.setattr(run_row_module, "run_row", pressed)
    result = fails("run", "voc_r50_d8", code=75, text="E-STOPPED stopped as asked")
    assert "Aborted" not in result.output


def test_the_version_is_the_packages():
    assert invoke("--version").output.strip().endswith(__version__)


def test_rows_are_listed_with_their_published_score():
    lines = invoke("rows").output.splitlines()
    assert lines.index("") == 17  # then the cells of the paper's tables
    assert lines[-6].split()[:3] == ["paper_t10_flips", "10", "79.30"]
    assert lines[-1].split()[:3] == ["paper_again_aspp", "again", "—"]
    assert lines[1].split() == ["voc_r50_d8", "21", "512x512", "60", "77.72"]
    rows = json.loads(invoke("rows", "--json").output)
    assert rows[15]["published_miou"] == 53.81 and len(rows) == 16 + 64
    assert (rows[-6]["table"], rows[-6]["eval_output_stride"]) == ("10", 8)


@pytest.mark.parametrize("words, text", [
    (["run", "voc_r50_d9"], "E-ROW there is no row 'voc_r50_d9'"),
    (["run", "voc_r50_d8", "--profile", "ful"], "E-PROFILE there is no profile 'ful'"),
    (["run", "voc_r50_d8", "--seed", "-1"], "E-PARAMETER parameter 'seed' cannot be used"),
    (["run", "voc_r50_d8", "--max-steps", "0"], "E-PARAMETER parameter 'max_steps'"),
    (["run", "voc_r50_d8", "--max-step", "5"], "No such option"),
    (["run"], "Missing argument 'ROW'"),
    (["table", "--rows", "vok_*"], "E-ROW there is no row 'vok_*'"),
    (["table", "--profile", "x"], "E-PROFILE"), (["report", "--profile", "x"], "E-PROFILE"),
    (["status", "--profile", "x"], "E-PROFILE"),
    (["data", "miniature", "cityscape"], "did you mean 'cityscapes'?"),
    (["rum"], "No such command")])
def test_a_wrong_word_ends_with_2_and_says_which(words, text):
    fails(*words, code=2, text=text)


@pytest.mark.parametrize("name, code", EXIT_CODES.items())
def test_each_error_ends_with_the_code_of_the_contract(monkeypatch, name, code):
    def fail(config, again):
        raise getattr(errors, name).of("E-TEST", "as asked", do="nothing")
    monkeypatch.setattr(run_row_module, "run_row", fail)
    result = fails("run", "voc_r50_d8", code=code, text="")
    assert result.stderr == "E-TEST as asked\n  do: nothing\n"


def test_debug_shows_the_traceback(monkeypatch):
    def fail(config, again):
        raise errors.DataError("E-TEST")
    monkeypatch.setattr(run_row_module, "run_row", fail)
    assert isinstance(invoke("--debug", "run", "voc_r50_d8").exception, errors.DataError)


def test_a_run_that_another_process_has_ends_with_7(tmp_path):
    config = RunConfig.of(row_id="voc_r50_d8", results_root=tmp_path)
    with locked(config.folder / "lock"):
        fails("run", "voc_r50_d8", "--results", tmp_path, code=7,
              text=f"found: pid {os.getpid()} on")


def test_a_damaged_result_is_shown_beside_the_others_and_ends_with_3(tmp_path):
    folder = RunConfig.of(row_id="voc_r50_d8", results_root=tmp_path).folder
    folder.mkdir(parents=True)
    (folder / "result.json").write_text("{")
    (folder.with_name("seed1")).mkdir()
    shown = invoke("status", "--results", tmp_path)
    assert shown.exit_code == 3 and "seed 1  stopped" in shown.stdout
    assert "damaged" in shown.stdout and "this is not JSON; file: result.json" in shown.stdout
    assert "deeplab run voc_r50_d8 --profile demo --seed 0 --again" in shown.stdout
    fails("run", "voc_r50_d8", "--results", tmp_path, code=3, text="E-JSON")


def test_what_the_system_refuses_ends_with_5_and_the_file(monkeypatch):
    def refuse(config, again):
        raise IsADirectoryError(21, "Is a directory", "outcome.json")
    monkeypatch.setattr(run_row_module, "run_row", refuse)
    fails("run", "voc_r50_d8", code=5, text="E-SYSTEM the system refuses\n  file: outcome.json\n"
                                            "  found: Is a directory")
    assert isinstance(invoke("--debug", "run", "voc_r50_d8").exception, IsADirectoryError)


def test_a_place_that_cannot_be_written_to_ends_with_5(tmp_path):
    (tmp_path / "file").touch()
    fails("run", "voc_r50_d8", "--results", tmp_path / "file", code=5, text="E-WRITE")


def test_a_finished_run_says_what_it_reached(monkeypatch, tmp_path):
    facts = {"miou": 41.456, "num_images": 60, "steps": 5, "total_steps": 150, "complete": False}
    monkeypatch.setattr(run_row_module, "run_row", lambda config, again: facts)
    output = invoke("run", "voc_r50_d8", "--seed", 2, "--results", tmp_path).output
    assert "mIoU 41.46 % on 60 images after 5 of 150 steps (incomplete)" in output
    assert str(tmp_path / "demo/voc_r50_d8/seed2") in output


def test_status_lists_runs_or_says_how_to_start_one(tmp_path):
    assert "deeplab run voc_r50_d8" in invoke("status", "--results", tmp_path).output
    config = RunConfig.of(row_id="voc_r101_d8", seed=1, results_root=tmp_path)
    write_json(config.folder / "run.json", {"parameters": config.parameters})
    result = invoke("status", "--results", tmp_path)
    assert result.exit_code == 0 and "voc_r101_d8 seed 1" in result.output


@pytest.mark.parametrize("words", [("--help",), ("run", "--help")])
def test_help_answers_within_half_a_second(words):
    command = [str(Path(sys.executable).with_name("deeplab")), *words]
    seconds = []
    for _ in range(3):  # the fastest counts: other processes may be at work
        start = time.perf_counter()
        assert subprocess.run(command, capture_output=True).returncode == 0
        seconds.append(time.perf_counter() - start)
    assert min(seconds) <= 0.5


def test_the_package_is_also_a_command():
    result = subprocess.run([sys.executable, "-m", "deeplab", "run", "vok"], capture_output=True,
                            text=True)
    assert result.returncode == 2 and result.stderr.startswith("E-ROW there is no row 'vok'")
