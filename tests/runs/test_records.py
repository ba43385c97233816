"""What a results folder may hold: each file's shape, refused by its key and in one sentence."""

import json

import pytest
from results_folders import result_facts, write_run

from deeplab.runs.config import RunConfig
from deeplab.runs.facts import outcome_facts
from deeplab.runs.records import (LARGEST, RESULT, check_facts, check_place, newest_checkpoint,
                                  other_command, read_log, read_published, read_result, read_run,
                                  run_config)
from deeplab.runs.result import damage
from deeplab.support.errors import DataError, ResourceError
from deeplab.support.files import write_json


@pytest.fixture
def config(tmp_path):
    """A run of 6 steps that ended, in its folder."""
    config = RunConfig.of(row_id="voc_r50_d8", seed=3, results_root=str(tmp_path))
    write_run(config, {"row": "1"}, facts=result_facts(config))
    return config


def put(path, **changes):
    """Replace members of a JSON file, without any of the checks of `write_json`."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_a_run_leaves_is_read_as_it_was_written(config):
    facts = read_result(config.folder)
    check_facts(config.folder, facts, config)
    assert facts == result_facts(config) and run_config(config.folder) == config
    assert read_run(config.folder)["fingerprint"] == {"row": "1"}
    assert [line["step"] for line in read_log(config.folder)] == [0, 6, 6]
    assert damage(config, {"row": "1"}) is None and newest_checkpoint(config.folder) == 0


def test_every_fact_that_a_run_states_has_its_rule():
    """Else a fact of a stranger would pass unseen, or a new one be lost in reading."""
    stated = set(outcome_facts.__code__.co_consts) | set(
        result_facts(RunConfig.of(row_id="voc_r50_d8")))
    names = {name for const in stated for name in (const if isinstance(const, tuple) else [const])
             if isinstance(name, str) and name.isidentifier()}
    assert names - {"deeplab"} <= RESULT.required.keys() | RESULT.optional.keys()


@pytest.mark.parametrize("changes, text", [
    ({"miou": 1e9}, "miou is 1000000000.0, expected a number from 0 to 100, or null"),
    ({"miou": "41"}, "miou is '41'"), ({"miou": True}, "miou is True"),
    ({"steps": -1}, "steps is -1, expected an integer from 0"), ({"steps": 1.0}, "steps is 1.0"),
    ({"minutes": None}, "minutes is None"), ({"complete": 1}, "complete is 1, expected true"),
    ({"deviations": ["<b>"]}, r"deviations\[0\] is '<b>'"),
    ({"deviations": [1] * 100}, "expected a list of at most 99"),
    ({"class_iou": []}, r"class_iou is \[\], expected an object"),
    ({"class_iou": {"cat": 101}}, "class_iou.cat is 101"),
    ({"class_iou": {"a\nb": 1}}, r"a name in class_iou is 'a\\nb'"),
    ({"device": "cuda\x1b[2J"}, r"device is 'cuda\\x1b\[2J', expected a text"),
    ({"torch": "x" * 500}, "torch is 'xxx"), ({"tf32": {"matmul": 1}}, "tf32 is")])
def test_a_fact_of_another_type_or_range_is_named(config, changes, text):
    put(config.folder / "result.json", **changes)
    with pytest.raises(DataError, match=f"E-RECORD no run leaves this(?s:.*)result.json\n.*{text}"):
        read_result(config.folder)
    assert damage(config, {"row": "1"}).code == "E-RECORD"


@pytest.mark.parametrize("changes, text", [
    ({"row_id": "voc_r50_d16"}, "row_id 'voc_r50_d16'"), ({"seed": 0}, "seed 0"),
    ({"dataset": "../../x"}, "dataset '../../x'   expected: 'voc', as its folder says"),
    ({"profile": "full"}, "profile 'full'"), ({"class_iou": {"cat": 1}}, "1 classes in class_iou")])
def test_a_result_of_another_row_does_not_count(config, changes, text):
    put(config.folder / "result.json", **changes)
    with pytest.raises(DataError, match=f"(?s)result.json.*found: {text}"):
        check_facts(config.folder, read_result(config.folder), config)


@pytest.mark.parametrize("changes, text", [
    ({"parameters": []}, r"parameters is \[\], expected an object"),
    ({"parameters": {"row_id": "voc_r50_d8", "cls": 1}}, "a name in parameters is 'cls'"),
    ({"parameters": {"seed": 1}}, "parameters.row_id is missing"),
    ({"parameters": {"row_id": "voc_r50_d8", "data_root": "a\x1bb"}}, "parameters.data_root is"),
    ({"threads": 10**6}, "threads is 1000000"), ({"fingerprint": {"row": []}}, "fingerprint.row"),
    ({"surroundings": {"torch": {}}}, "surroundings.torch is"),
    ({"parameters": {"row_id": "voc_r101_d8", "seed": 3}}, "'voc_r101_d8', 'seed3'"),
    ({"parameters": {"row_id": "voc_r50_d8", "seed": 4}}, "'voc_r50_d8', 'seed4'"),
    ({"parameters": {"row_id": "voc_r50_d8", "seed": 3, "profile": "full"}}, "'full', 'voc_r50")])
def test_a_record_of_another_shape_or_run_is_refused(config, changes, text):
    put(config.folder / "run.json", **changes)
    with pytest.raises(DataError, match=f"(?s)E-RECORD.*run.json.*{text}"):
        run_config(config.folder)


@pytest.mark.parametrize("line, text", [
    ({"step": "1"}, "step is '1'"), ({"loss": 1}, "step is missing"),
    ({"step": 7, "miou": -1}, "miou is -1"), ({"step": 7, "loss": "<b>"}, "loss is '<b>'"),
    ([], r"it is \[\], expected an object")])
def test_a_line_that_no_run_writes_is_named_with_its_number(config, line, text):
    with open(config.folder / "log.jsonl", "a") as log:
        log.write(json.dumps(line) + "\n")
    with pytest.raises(DataError, match=f"(?s)log.jsonl, line 4.*{text}"):
        list(read_log(config.folder))


def test_a_file_that_is_a_link_or_too_large_is_not_read(config, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text('{"miou": "SECRET", "steps": 1, "total_steps": 1}')
    (config.folder / "result.json").unlink()
    (config.folder / "result.json").symlink_to(secret)
    with pytest.raises(DataError, match="a link, which may lead anywhere") as error:
        read_result(config.folder)
    assert "SECRET" not in str(error.value)
    (config.folder / "result.json").unlink()
    (config.folder / "result.json").write_text(" " * LARGEST + "{}")
    with pytest.raises(DataError, match="more than 1,048,576 bytes"):
        read_result(config.folder)


@pytest.mark.parametrize("place", [".", "..", "../..", "checkpoints"])
def test_no_folder_of_a_run_may_be_a_link(config, tmp_path, place):
    folder = (config.folder / place).resolve()
    other = tmp_path / "elsewhere"
    if folder.exists():
        folder.rename(other)
    folder.symlink_to(other)
    with pytest.raises(ResourceError, match="E-LINK"):
        check_place(config.folder)


def test_only_the_results_folder_itself_may_be_a_link(config, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    check_place(tmp_path / "link" / config.folder.relative_to(tmp_path))


@pytest.mark.parametrize("command, is_shown", [
    ("deeplab run voc_r50_d8 --data-root 'my data'", True), ("deeplab run voc_r50_d16", False),
    ("deeplab run voc_r50_d8; rm -rf ~", False), ("deeplab run voc_r50_d8 --again", False),
    ("deeplab run voc_r50_d8 'x", False), ("curl evil", False), ("", False)])
def test_only_a_command_of_this_row_is_shown_from_a_file(config, command, is_shown):
    write_json(config.folder / "outcome.json", {"command": command})
    words = other_command(config.folder)
    assert words == (["run", "voc_r50_d8"] + ["--data-root", "my data"] * is_shown)


def test_published_weights_have_their_own_record(tmp_path):
    path = tmp_path / "published.json"
    facts = {"row_id": "voc_r50_d8", "profile": "full", "miou": 77.0, "num_images": 1449}
    write_json(path, facts)
    assert read_published(path, "voc_r50_d8", "full") == facts
    write_json(path, facts | {"row_id": "voc_r50_d16"})
    with pytest.raises(DataError, match="row_id 'voc_r50_d16'"):
        read_published(path, "voc_r50_d8", "full")


def test_a_manifest_of_another_shape_is_refused(config):
    write_json(config.folder / "checkpoints/checkpoints.json", [{"step": 1}])
    with pytest.raises(DataError, match=r"(?s)checkpoints.json.*\[0\].(file|sha256) is missing"):
        newest_checkpoint(config.folder)
