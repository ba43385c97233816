"""Rows that no runner runs, under papermill alone or in JupyterLab, are rows like all others."""

import json
import subprocess
import sys

import nbformat
import pytest
from small_table import ROWS, config_of, environment, newest_step, shrink
from toy_training import log_lines

from deeplab.profiles import PROFILES
from deeplab.report.results import collect
from deeplab.runs import begin
from deeplab.runs.begin import begin_alone
from deeplab.runs.config import RunConfig
from deeplab.runs.run_row import NOTEBOOKS
from deeplab.support.errors import DataError, UsageError
from deeplab.support.files import read_json, write_json
from deeplab.support.locks import locked

RUN_ALL_TWICE = """
import sys
import nbformat
from nbclient import NotebookClient
NotebookClient(nbformat.read(sys.argv[1], as_version=4), timeout=300).execute()
"""


def papermill(config, tmp_path):
    """`papermill notebooks/row.ipynb out.ipynb -p …`, as in a loop of a shell."""
    words = [word for name in ("row_id", "data_root", "results_root")
             for word in ("-p", name, str(config.parameters[name]))]
    return subprocess.run(
        [sys.executable, "-m", "papermill", str(NOTEBOOKS / "row.ipynb"),
         str(tmp_path / "out.ipynb"), "-k", "python3", *words],
        env=environment(), capture_output=True, text=True, timeout=300, cwd=tmp_path)


def run_all_twice(config, tmp_path):
    """"Run All" in JupyterLab, with parameters written into their cell, and once more."""
    notebook = nbformat.read(NOTEBOOKS / "row.ipynb", as_version=4)
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source += "".join(f"\n{name} = {config.parameters[name]!r}"
                           for name in ("row_id", "data_root", "results_root"))
    notebook.cells *= 2
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    path = tmp_path / "twice.ipynb"
    path.write_text(json.dumps(notebook))
    return subprocess.run([sys.executable, "-c", RUN_ALL_TWICE, str(path)], env=environment(),
                          capture_output=True, text=True, timeout=300, cwd=tmp_path)


def test_rows_of_papermill_and_of_jupyterlab_are_rows_of_the_report(data_root, tmp_path,
                                                                         monkeypatch):
    monkeypatch.setitem(PROFILES, "demo", PROFILES["demo"])
    shrink()  # as the kernels of this test are
    configs = [config_of(row_id, tmp_path / "results", data_root) for row_id in ROWS]
    runs = [run(config, tmp_path) for run, config in zip((papermill, run_all_twice), configs)]
    assert [done.returncode for done in runs] == [0, 0], [done.stderr[-2000:] for done in runs]
    entries = collect(tmp_path / "results", "demo")
    assert {entry["row_id"]: entry["state"] for entry in entries} == dict.fromkeys(ROWS, "done")
    for config in configs:
        record = read_json(config.folder / "run.json")
        assert set(record) == {"parameters", "fingerprint", "threads", "started",
                               "surroundings", "digest"}
        assert record["parameters"] == config.parameters and newest_step(config.folder) == 8
        steps = [line["step"] for line in log_lines(config.folder) if "loss" in line]
        assert steps == sorted(set(steps)) and steps[-1] == 8  # not trained again
        assert not (config.folder / "outcome.json").exists()


@pytest.fixture
def config(data_root, tmp_path):
    return config_of(ROWS[0], tmp_path, data_root)


def test_it_is_a_runners_business_where_one_waits(config):
    with locked(config.folder / "lock"):
        assert begin_alone(config) is None
    assert not (config.folder / "run.json").exists()


def test_a_run_keeps_the_threads_it_began_with(config, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert begin_alone(config) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert begin_alone(config) == 3


def test_code_that_changed_in_between_is_refused_and_nothing_is_touched(config, monkeypatch):
    begin_alone(config)
    write_json(config.folder / "checkpoints/checkpoints.json",
               [{"step": 4, "file": "step-0000004.pt", "sha256": "0"}])
    before = (config.folder / "run.json").read_bytes()
    mark = begin.current_mark(config)
    monkeypatch.setattr(begin, "fingerprint", lambda config: mark | {"code": "other"})
    with pytest.raises(UsageError, match="E-STALE(.|\n)*a checkpoint of step 4(.|\n)*--again"):
        begin_alone(config)
    assert (config.folder / "run.json").read_bytes() == before


def test_a_damaged_record_is_said(config):
    begin_alone(config)
    (config.folder / "run.json").write_text("{")
    with pytest.raises(DataError, match="E-JSON"):
        begin_alone(config)


@pytest.mark.parametrize("value", [{"a": 1}, [1], {}])
@pytest.mark.parametrize("name", ["row_id", "seed", "max_steps", "data_root"])
def test_a_mapping_or_a_list_is_no_parameter(name, value):
    with pytest.raises(UsageError, match=f"E-PARAMETER parameter '{name}' cannot be used"):
        RunConfig.of(**{"row_id": "voc_r50_d8", name: value})
