"""What counts as done, what is stale, and what reaches the table."""

import csv
import dataclasses
import io

import pytest
from click.testing import CliRunner
from results_folders import result_facts

from deeplab.cli.main import main
from deeplab.report.report import Report
from deeplab.report.results import (
    COLUMNS,
    collect,
    run_state,
    run_command,
    run_folders,
    table_csv,
)
from deeplab.runs import begin, fingerprint, result
from deeplab.runs.config import RunConfig
from deeplab.runs.facts import save_outcome
from deeplab.runs.result import finished_result, promote_outcome, stale, standing
from deeplab.support.errors import DataError, UsageError
from deeplab.support.files import read_json, write_json
from deeplab.support.locks import locked

MARK = {"row": "1", "code": "2"}


@pytest.fixture
def mark(monkeypatch):
    """The fingerprint that every run has now; change it to make results stale."""
    now = dict(MARK)
    for module in (result, begin):
        monkeypatch.setattr(module, "fingerprint", lambda config: now)
    return now


@pytest.fixture
def make_run(tmp_path, mark):
    """`make_run(row_id, steps=150, ...)`: the folder of a run of 150 steps; returns its config."""
    def make(row_id="voc_r50_d8", *, steps=150, seed=0, name="result.json"):
        config = RunConfig.of(row_id=row_id, seed=seed, results_root=tmp_path)
        facts = result_facts(config, steps=steps, total_steps=150, complete=steps >= 150,
                             minutes=65.0, deviations=[1, 2], commit=None)
        write_json(config.folder / "run.json",
                   {"parameters": config.parameters, "fingerprint": MARK})
        if name:
            write_json(config.folder / name, facts)
        return config
    return make


def states(root):
    return {(entry["row_id"], entry["seed"]): entry["state"] for entry in collect(root, "demo")}


def test_a_result_that_no_longer_fits_is_refused_with_what_differs_and_what_it_took(make_run, mark):
    config = make_run()
    assert finished_result(config)["miou"] == 41.5 and stale(config) is None
    mark["code"] = "3"
    error = stale(config)
    assert isinstance(error, UsageError) and error.code == "E-STALE"
    text = str(error)
    assert "a result of 150 steps that took 1 h 05 min, mIoU 41.50 % with another code" in text
    assert str(config.folder) in text and "--again" in text


def test_a_checkpoint_that_no_longer_fits_is_refused_and_nothing_is_not(make_run, mark):
    config = make_run(name=None)
    mark["row"] = "3"
    assert standing(config).changed == ("row",) and stale(config) is None
    write_json(config.folder / "checkpoints/checkpoints.json", [
        {"step": step, "file": f"step-{step:07d}.pt", "sha256": 64 * "0"} for step in (20, 30)])
    (config.folder / "log.jsonl").write_text('{"step": 30, "seconds": 90.2}\n')
    assert "a checkpoint of step 30 that took 1 min 30 s with another row" in str(stale(config))


def test_a_patch_release_is_noted_and_the_result_counts(make_run, tmp_path, monkeypatch):
    config = make_run()
    record = read_json(config.folder / "run.json")
    write_json(config.folder / "run.json", record | {"surroundings": {"torch": "2.5.0"}})
    monkeypatch.setattr(fingerprint, "libraries", lambda: {"torch": "2.5.1"})
    assert stale(config) is None
    entry = collect(tmp_path, "demo")[0]
    assert (entry["state"], entry["noted"]) == ("done", ["torch 2.5.0, now 2.5.1"])
    report = Report(tmp_path, "demo", collect(tmp_path, "demo"))
    assert "| done (noted) |" in report.table
    assert "Noted: voc_r50_d8, seed 0, was made with torch 2.5.0, now 2.5.1." in report.page
    shown = CliRunner().invoke(main, ["status", "--results", str(tmp_path)]).output
    assert "noted: made with torch 2.5.0, now 2.5.1" in shown


@pytest.mark.parametrize("steps, max_steps, is_done", [
    (150, None, True), (150, 5, True), (5, 5, True), (5, 3, True), (5, 6, False), (5, None, False),
    (150, 1000, True)])
def test_a_shortened_run_is_done_only_as_far_as_it_went(make_run, steps, max_steps, is_done):
    config = dataclasses.replace(make_run(steps=steps), max_steps=max_steps)
    assert (finished_result(config) is not None) == is_done


def test_status_says_how_to_go_on_to_the_end_with_a_run_that_was_to_stop_early(make_run):
    config = make_run(steps=5)
    write_json(config.folder / "run.json", {
        "parameters": dataclasses.replace(config, max_steps=5).parameters, "fingerprint": MARK})
    status, lines = run_state(config.folder)
    assert status.state == "ended" and len(lines) == 1
    assert "ended early, as asked; the whole with: deeplab run voc_r50_d8" in lines[0]
    assert "--max-steps" not in lines[0]


def test_a_run_without_its_result_is_not_done_whatever_else_is_there(make_run):
    assert finished_result(make_run(name="outcome.json")) is None


def test_a_result_without_its_record_is_an_error_that_names_it(make_run):
    config = make_run()
    (config.folder / "run.json").unlink()
    with pytest.raises(DataError, match=r"E-JSON(.|\n)*run\.json"):
        stale(config)


def test_the_outcome_becomes_the_result_in_one_step(make_run):
    config = make_run(name="outcome.json")
    assert promote_outcome(config)["miou"] == 41.5
    assert sorted(path.name for path in config.folder.iterdir()) == ["result.json", "run.json"]
    assert finished_result(config)["miou"] == 41.5


def test_every_run_that_was_started_has_an_entry_with_its_state(make_run, tmp_path, mark):
    make_run("voc_r101_d16"), make_run("voc_r50_d8", steps=9), make_run("ade20k_r50_d8", name=None)
    assert states(tmp_path) == {("voc_r50_d8", 0): "incomplete", ("voc_r101_d16", 0): "done",
                                ("ade20k_r50_d8", 0): "unfinished"}
    mark["row"] = "9"
    entry = collect(tmp_path, "demo")[1]
    assert (entry["state"], entry["changed"]) == ("stale", ["row"])


def test_runs_are_listed_in_the_order_of_the_table_and_of_the_seeds(make_run, tmp_path):
    for row_id, seed in [("ade20k_r50_d8", 0), ("voc_r50_d16", 10), ("voc_r50_d16", 2)]:
        make_run(row_id, seed=seed)
    make_run().folder.rename(tmp_path / "demo/voc_r50_d8/seed0.old-123abc")
    assert [found[:2] for found in run_folders(tmp_path, "demo")] == [
        ("voc_r50_d16", 2), ("voc_r50_d16", 10), ("ade20k_r50_d8", 0)]
    assert run_folders(tmp_path, "full") == []


def test_the_command_that_goes_on_is_the_one_that_began(make_run, tmp_path):
    config = make_run(seed=4)
    assert run_command(config.folder) == config.command
    assert run_command(tmp_path / "voc_r50_d8/seed0") == ["run", "voc_r50_d8"]


def written_table(root):
    """The `table.csv` of the report of a profile."""
    report = Report(root, "demo", collect(root, "demo"))
    report.write_tables()
    return (report.folder / "table.csv").read_text()


def test_the_table_holds_complete_results_that_fit_and_nothing_else(make_run, tmp_path, mark):
    make_run("voc_r50_d8"), make_run("voc_r50_d16", steps=9), make_run("voc_r101_d8", name=None)
    lines = [*csv.DictReader(io.StringIO(written_table(tmp_path)))]
    assert [line["row_id"] for line in lines] == ["voc_r50_d8"]
    assert lines[0]["miou"] == "41.5" and lines[0]["deviations"] == "1 2"
    assert lines[0]["commit"] == "" and tuple(lines[0]) == COLUMNS
    mark["row"] = "9"
    assert written_table(tmp_path) == ",".join(COLUMNS) + "\n"


def test_a_comma_in_a_fact_does_not_move_the_columns():
    entry = dict.fromkeys(COLUMNS) | {"state": "done", "deviations": [], "device": "GPU, large"}
    line, = csv.DictReader(io.StringIO(table_csv([entry])))
    assert line["device"] == "GPU, large" and line["threads"] == ""


def test_an_outcome_becomes_a_result_unless_a_runner_waits_for_it(make_run, capsys):
    config = make_run(name="outcome.json")
    facts = read_json(config.folder / "outcome.json")
    with locked(config.folder / "lock"):
        save_outcome(config.folder, facts)
        assert finished_result(config) is None and capsys.readouterr().out == ""
    save_outcome(config.folder, facts)
    assert finished_result(config) == facts and "row is done" in capsys.readouterr().out


def test_an_outcome_of_code_that_changed_meanwhile_is_no_result(make_run, mark):
    config = make_run(name="outcome.json")
    facts = read_json(config.folder / "outcome.json")
    mark["code"] = "3"
    with pytest.raises(UsageError, match="E-CHANGED(.|\n)*found: code"):
        save_outcome(config.folder, facts)
    assert finished_result(config) is None


def test_a_faulty_entry_is_no_concern_of_runs_of_the_table(make_run, tmp_path, monkeypatch):
    make_run()
    (tmp_path / "entries").mkdir()
    (tmp_path / "entries/leaf.json").write_text("{}")
    monkeypatch.setenv("DEEPLAB_DATASETS", str(tmp_path / "entries"))
    assert [row_id for row_id, _, _ in run_folders(tmp_path, "demo")] == ["voc_r50_d8"]
    (tmp_path / "demo/leaf_r50_d8/seed0").mkdir(parents=True)
    with pytest.raises(UsageError, match="E-DATASET(?s:.*)missing key title"):
        run_folders(tmp_path, "demo")
