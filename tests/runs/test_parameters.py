"""Each parameter of a run is one field: options, words, notebook and check follow from it."""

import inspect
import json
from dataclasses import field, fields, make_dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from deeplab.cli.main import main
from deeplab.cli.options import option
from deeplab.data.catalog import own_label_sets
from deeplab.report.report import Report
from deeplab.runs import parameters, run_row
from deeplab.runs.config import RunConfig
from deeplab.runs.notebook import execute
from deeplab.runs.parameters import PARAMETERS, Parameters, command_words, option_name, parameter
from deeplab.support.errors import UsageError
from deeplab.support.folders import PROJECT, data_folder, results_folder

ROW = "voc_r50_d8"


def cell_line(name):
    """What the parameters cell of `row.ipynb` says of a parameter."""
    item, rules = PARAMETERS[name], PARAMETERS[name].metadata
    kind = item.type.partition(" | ")[0].replace("Path", "str")
    default = json.dumps(item.default) if isinstance(item.default, str) else repr(item.default)
    otherwise = f"; None: {rules['none']}" if rules["none"] else ""
    return f"{name}: {kind} = {default}  # {rules['text']}{otherwise}"


def test_the_notebook_has_these_parameters_with_these_defaults_and_words():
    cells = json.loads((PROJECT / "notebooks/row.ipynb").read_text(encoding="utf-8"))["cells"]
    cell, = [cell for cell in cells if cell["metadata"].get("tags") == ["parameters"]]
    assert "".join(cell["source"]).splitlines() == [cell_line(name) for name in PARAMETERS]


@pytest.mark.parametrize("command, without", [("run", {"row_id"}), ("table", {"row_id", "seed"})])
def test_the_commands_have_an_option_for_every_parameter(command, without):
    options = {item.name: item for item in main.commands[command].params}
    assert set(PARAMETERS) - set(options) == without
    for name in set(PARAMETERS) & set(options):
        assert options[name].opts == [option_name(name)]
        assert options[name].help.startswith(PARAMETERS[name].metadata["text"])
        assert (PARAMETERS[name].metadata["none"] or "") in options[name].help


@pytest.mark.parametrize("values", [
    {"seed": 3, "max_steps": 7, "gpus": 2, "workers": 0}, {"processes": 2, "profile": "small"},
    {"backbone_weights": "none", "data_root": "da ta", "results_root": "x"},
    {"backbone_weights": "file.pth"}])
def test_the_words_of_a_command_make_the_same_run_again(monkeypatch, tmp_path, values):
    monkeypatch.chdir(tmp_path)
    config, seen = RunConfig.of(row_id=ROW, **values), []
    monkeypatch.setattr(run_row, "run_row", lambda config, again: seen.append(config))
    monkeypatch.chdir("/")
    CliRunner().invoke(main, config.command)
    assert seen == [config] == [RunConfig.of(**config.parameters)]


@pytest.mark.parametrize("name, value, expected", [
    ("gpus", 0, "an integer from 1, or None"), ("gpus", True, "an integer from 1, or None"),
    ("workers", -1, "an integer from 0, or None"), ("seed", 2**31, "an integer from 0"),
    ("data_root", "", "a folder, or None"), ("row_id", None, "a name"), ("profile", 3, "a name"),
    ("backbone_weights", 5, "none, miniature, torchvision, v1c or a file, or None")])
def test_a_wrong_value_is_refused_with_what_is_right(name, value, expected):
    with pytest.raises(UsageError) as caught:
        RunConfig.of(**{"row_id": ROW, name: value})
    assert f"E-PARAMETER parameter '{name}' cannot be used" in str(caught.value)
    assert f"found: {value!r}   expected: {expected}\n" in str(caught.value)


def test_either_gpus_or_processes():
    with pytest.raises(UsageError, match="either gpus or processes, not both"):
        RunConfig.of(row_id=ROW, gpus=1, processes=1)


def test_a_new_field_is_an_option_a_word_and_a_checked_value(monkeypatch):
    more = [("device", "str | None", parameter("where it runs", none="cuda", metavar="NAME",
                                               choices=("cpu", "cuda"))),
            ("afresh", "bool", parameter("redo it", default=False))]
    wider = make_dataclass("Wider", [(n, t, field(default=f.default, metadata=f.metadata))
                                     for n, t, f in more], bases=(Parameters,), frozen=True)
    for item in fields(wider):
        monkeypatch.setitem(PARAMETERS, item.name, item)
    values = parameters.checked({"row_id": ROW, "device": "cpu", "afresh": True})
    assert command_words(values)[-3:] == ["--device", "cpu", "--afresh"]
    with pytest.raises(UsageError, match="'device'(?s:.*)expected: cpu, cuda, or None"):
        parameters.checked({"row_id": ROW, "device": "tpu"})
    with pytest.raises(UsageError, match="'afresh'(?s:.*)expected: True or False"):
        parameters.checked({"row_id": ROW, "afresh": 1})
    command = click.command()(option("afresh")(option("device")(lambda **given: click.echo(given))))
    assert CliRunner().invoke(command, ["--afresh", "--device", "cpu"]).output == (
        "{'afresh': True, 'device': 'cpu'}\n")


def test_paths_mean_the_folder_one_stands_in(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    config = RunConfig.of(row_id=ROW, data_root="data", results_root=Path("../x"),
                          backbone_weights="mine.pth")
    monkeypatch.chdir("/")
    assert config.data_root == tmp_path / "data"
    assert config.results_root == tmp_path / "../x"
    assert config.first_weights == str(tmp_path / "mine.pth")
    assert RunConfig.of(row_id=ROW, data_root="~/sets").data_root == tmp_path / "home/sets"
    assert RunConfig.of(row_id=ROW, backbone_weights="v1c").first_weights == "v1c"


def test_variables_mean_the_folder_one_stands_in(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets/bad.json").write_text("{")
    for name in ("DATA", "RESULTS", "DATASETS"):
        monkeypatch.setenv(f"DEEPLAB_{name}", "sets")
    assert data_folder() == results_folder() == tmp_path / "sets"
    with pytest.raises(Exception, match=str(tmp_path / "sets/bad.json")):
        own_label_sets()


def test_a_kernel_which_stands_elsewhere_sees_the_same_folders(monkeypatch, tmp_path):
    import papermill
    seen = {}

    def look(*words, cwd, **more):
        monkeypatch.chdir(cwd)
        seen.update(data=data_folder(), results=results_folder())
    monkeypatch.setattr(papermill, "execute_notebook", look)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEEPLAB_DATA", "sets")
    monkeypatch.delenv("DEEPLAB_RESULTS", raising=False)
    (tmp_path / "notebooks").mkdir()
    execute(tmp_path / "notebooks/x.ipynb", tmp_path / "draft", {}, folder=tmp_path)
    assert seen == {"data": tmp_path / "sets", "results": PROJECT / "results"}


@pytest.mark.parametrize("words", [["run", ROW], ["table", "--rows", ROW, "--dry-run"],
                                   ["status"], ["report"], ["doctor"],
                                   ["evaluate", ROW, "--weights", "w.pth"]])
def test_every_command_hands_on_absolute_folders(monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    command, seen = main.commands[words[0]], {}
    monkeypatch.setattr(command, "callback", lambda **given: seen.update(given))
    CliRunner().invoke(main, [*words, "--results", "runs"])
    assert seen["results_root"] == tmp_path / "runs"


def test_the_report_stands_where_one_stood(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    report = Report.of(results_root="runs")
    monkeypatch.chdir("/")
    assert report.folder == tmp_path / "runs/demo"


def test_parameters_alone_need_no_torch():
    assert "torch" not in inspect.getsource(parameters).partition('"""\n\n')[2].replace(
        "torchvision", "")
