"""What a run is: checked before any work, and derived from the row and the profile alone."""

import dataclasses

import pytest

from deeplab.profiles import PROFILES
from deeplab.runs import config as config_module
from deeplab.runs.config import RunConfig
from deeplab.support.errors import UsageError
from deeplab.table.rows import get_row, load_rows


def full(dataset):
    return RunConfig.of(row_id=f"{dataset}_r50_d8", profile="full")


@pytest.mark.parametrize("dataset, crop, resize, steps", [
    ("voc", (512, 512), (2048, 512), {10_582: 39_660}),
    ("ade20k", (512, 512), (2048, 512), {20_210: 164_190}),
    ("cityscapes", (512, 1024), (2048, 1024), {2_975: 81_620}),
    ("context", (480, 480), (520, 520), {4_998: 81_120, 4_996: 81_120})])
def test_the_full_profile_is_the_recipe(dataset, crop, resize, steps):
    config = full(dataset)
    assert (config.crop, config.resize) == (crop, resize)
    assert (config.batch_size, config.base_lr) == (config.row.batch_size, config.row.base_lr)
    for num_images, total in steps.items():
        epoch = total // config.row.epochs
        assert config.total_steps(num_images) == total
        assert config.evaluate_every(num_images) == 10 * epoch
        assert config.checkpoint_every(num_images) == 10 * epoch  # between them by time


def test_the_sliding_window_moves_by_320_of_480():
    assert full("context").crop == (480, 480) and full("context").inference.stride == (320, 320)


@pytest.mark.parametrize("row_id", load_rows())
@pytest.mark.parametrize("profile", PROFILES)
def test_every_row_can_be_run_at_every_profile(row_id, profile):
    config = RunConfig.of(row_id=row_id, profile=profile)
    assert all(side % 8 == 0 for side in config.crop)
    assert 0 < config.checkpoint_every(500) <= config.evaluate_every(500)
    assert config.evaluate_every(500) <= config.total_steps(500)


def test_a_crop_that_does_not_fill_whole_cells_is_refused(monkeypatch):
    row = dataclasses.replace(get_row("voc_r50_d8"), crop_height=513)
    monkeypatch.setattr(config_module, "get_row", lambda name: row)
    with pytest.raises(UsageError, match="E-CROP(.|\n)*found: 513 x 512(.|\n)*multiples of 8"):
        RunConfig.of(row_id="voc_r50_d8", profile="full")


@pytest.mark.parametrize("parameter, value", [
    ("seed", -1), ("seed", 1.5), ("seed", "0"), ("seed", True), ("seed", None),
    ("max_steps", 0), ("max_steps", -3), ("max_steps", 2.0), ("max_steps", True),
    ("data_root", 7), ("results_root", False), ("results_root", ["x"])])
def test_a_value_that_cannot_be_used_is_refused_by_name(parameter, value):
    with pytest.raises(UsageError, match=rf"E-PARAMETER parameter '{parameter}' cannot be used\n"
                                         r"  found: (.|\n)*do: correct"):
        RunConfig.of(**{"row_id": "voc_r50_d8", parameter: value})


def test_an_unknown_parameter_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="E-PARAMETER there is no parameter 'max_step'(.|\n)*"
                                         "did you mean 'max_steps'"):
        RunConfig.of(row_id="voc_r50_d8", max_step=5)
    with pytest.raises(UsageError, match="E-PARAMETER parameter 'row_id'(.|\n)*found: None"):
        RunConfig.of(profile="demo")


def test_unknown_rows_and_profiles_are_refused():
    with pytest.raises(UsageError, match="E-ROW"):
        RunConfig.of(row_id="voc_r50_d9")
    with pytest.raises(UsageError, match="E-PROFILE"):
        RunConfig.of(row_id="voc_r50_d8", profile="tiny")


def test_parameters_make_the_same_run_again(tmp_path):
    config = RunConfig.of(row_id="context59_r50_d8", profile="small", seed=3, max_steps=7,
                          data_root=tmp_path / "data", results_root=str(tmp_path))
    assert RunConfig.of(**config.parameters) == config
    assert all(isinstance(value, (str, int, type(None))) for value in config.parameters.values())


def test_the_command_of_a_run_makes_the_same_run_again(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from deeplab.cli.main import main
    from deeplab.runs import run_row
    config = RunConfig.of(row_id="voc_r50_d16", profile="small", seed=3, max_steps=7,
                          data_root=tmp_path / "da ta", results_root=tmp_path)
    seen = []
    monkeypatch.setattr(run_row, "run_row", lambda config, again: seen.append(config))
    CliRunner().invoke(main, config.command)
    assert seen == [config]


def test_a_run_has_a_folder_of_its_own(tmp_path):
    folders = {RunConfig.of(row_id=row_id, profile=profile, seed=seed,
                            results_root=tmp_path).folder
               for row_id in load_rows() for profile in PROFILES for seed in (0, 1)}
    assert len(folders) == 16 * len(PROFILES) * 2
    assert tmp_path / "small/voc_r101_d16/seed1" in folders


def test_folders_come_from_the_environment_unless_they_are_given(monkeypatch, tmp_path):
    monkeypatch.setenv("DEEPLAB_RESULTS", str(tmp_path / "runs"))
    monkeypatch.setenv("DEEPLAB_DATA", str(tmp_path / "sets"))
    config = RunConfig.of(row_id="voc_r50_d8")
    assert config.results_root == tmp_path / "runs" and config.real_data_root == tmp_path / "sets"
    monkeypatch.chdir(tmp_path)
    assert RunConfig.of(row_id="voc_r50_d8", data_root="here").real_data_root == tmp_path / "here"


def test_the_learning_rate_is_in_proportion_to_the_batch():
    usual, half = (RunConfig.of(row_id="voc_r50_d16", profile="full", batch=batch)
                   for batch in (None, 8))
    assert (usual.batch_size, half.batch_size) == (16, 8)
    assert half.base_lr == pytest.approx(usual.base_lr / 2)
    assert half.total_steps(10_582) == 60 * (10_582 // 8)


def test_what_changes_the_numbers_of_a_run_changes_its_fingerprint():
    plain = RunConfig.of(row_id="voc_r50_d16")
    marks = {RunConfig.of(row_id="voc_r50_d16", **given).changes.__repr__() for given in (
        {}, {"precision": "bfloat16"}, {"batch": 4}, {"checkpoint_activations": True})}
    assert len(marks) == 4 and plain.changes == {}
