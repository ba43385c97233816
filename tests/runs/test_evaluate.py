"""Weights that are already trained: fetched, scored, and set in a column of their own."""

import json

import pytest
import stand_ins
import torch
from bad_server import serving_folder
from click.testing import CliRunner
from lively import lively_state

from deeplab.cli.main import main
from deeplab.model.network import build_model
from deeplab.model.weights import to_sssegmentation
from deeplab.report.report import Report
from deeplab.report.results import published_here
from deeplab.runs import evaluate as module
from deeplab.runs import fingerprint
from deeplab.runs.config import RunConfig
from deeplab.runs.evaluate import evaluate_weights
from deeplab.runs.evidence import read_counts
from deeplab.runs.experiment import Experiment
from deeplab.support.errors import CheckpointError, DataError, ResourceError
from deeplab.support.files import sha256, write_json
from deeplab.support.remote import Remote
from deeplab.support.seal import sealed
from deeplab.table.rows import get_row
from deeplab.weights import published as pretrained
from deeplab.weights.export import convert_file
from deeplab.weights.files import load_model, save_weights

ROW = "voc_r50_d16"


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    """A data root with VOC's tree, of which the validation split is three small pictures."""
    root = tmp_path_factory.mktemp("data")
    stand_ins.write_tree("voc", root)
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of the small profile under SSSegmentation's names, wrapped as published."""
    path = tmp_path_factory.mktemp("weights") / "mine.pth"
    torch.save({"model": to_sssegmentation(lively_state(ROW, "small"))}, path)
    return path


def test_a_foreign_file_is_scored_as_the_row_says_and_recorded(tmp_path, data_root, weights):
    options = {"profile": "small", "data_root": data_root, "results_root": tmp_path}
    facts = evaluate_weights(ROW, str(weights), **options)
    config = RunConfig.of(row_id=ROW, profile="small", data_root=str(data_root))
    own = Experiment(config).evaluate(load_model(weights, config.row, "small"))
    assert facts["miou"] == round(own.mean_iou, 4) and facts["num_images"] == 3
    assert facts["weights_sha256"] == sha256(weights)
    (path,) = (tmp_path / "small" / ROW).glob("*.json")
    assert path.name.startswith("evaluated-") and json.loads(path.read_text()) == sealed(facts)
    both = evaluate_weights(ROW, str(weights), scales=(0.5, 1.0), flip=True, **options)
    assert both["scales"] == [0.5, 1.0] and both["miou"] != facts["miou"]
    assert len(list(path.parent.glob("*.json"))) == 2
    assert len(read_counts(path.with_suffix(".safetensors")).ids) == 3


def test_the_profile_is_the_one_that_the_file_records(tmp_path, data_root, weights):
    ours = tmp_path / "ours.safetensors"
    assert convert_file(weights, ours, get_row(ROW), profile="small") == 376
    facts = evaluate_weights(ROW, str(ours), data_root=data_root, results_root=tmp_path / "r")
    assert facts["profile"] == "small"


def test_weights_of_another_row_are_refused_before_any_image_is_read(tmp_path, weights):
    ours = tmp_path / "ours.safetensors"
    convert_file(weights, ours, get_row(ROW), profile="small")
    with pytest.raises(CheckpointError, match="belong to another row"):
        evaluate_weights("voc_r50_d8", str(ours), data_root=tmp_path, results_root=tmp_path)


@pytest.mark.parametrize("scheme", ["ours", "sssegmentation", "mmsegmentation"])
def test_conversion_is_exact_in_every_direction(tmp_path, weights, scheme):
    there, back = tmp_path / "there", tmp_path / "back.safetensors"
    convert_file(weights, there, get_row(ROW), profile="small", scheme=scheme)
    convert_file(there, back, get_row(ROW), profile="small")
    one, two = (load_model(path, get_row(ROW), "small").state_dict() for path in (weights, back))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_checkpoint_of_a_run_says_whose_it_is(tmp_path):
    state = build_model(get_row(ROW), "small").state_dict()
    path = tmp_path / "step-0000010.pt"
    torch.save({"identity": {"row_id": ROW, "profile": "small"}, "step": 10, "model": state}, path)
    assert not load_model(path, get_row(ROW)).training
    with pytest.raises(CheckpointError, match=f"found: row {ROW}"):
        load_model(path, get_row("voc_r50_d8"))


def test_published_weights_are_fetched_once_and_their_hash_is_recorded(
        tmp_path, monkeypatch, data_root, weights):
    row = get_row(ROW)
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / row.published_weights).write_bytes(weights.read_bytes())
    monkeypatch.setenv("DEEPLAB_DATA", str(tmp_path / "data"))
    real = pretrained.fetch
    monkeypatch.setattr(pretrained, "fetch", lambda *args, **options: real(
        *args, **options, local_http=True))
    with serving_folder(tmp_path / "server") as address:
        monkeypatch.setattr(pretrained, "SSSEGMENTATION", address)
        facts = evaluate_weights(ROW, "published", profile="small", data_root=data_root,
                                 results_root=tmp_path)
        note = tmp_path / "data/weights" / f"{row.published_weights}.sha256"
        assert note.read_text().split() == [sha256(weights), row.published_weights]
    path = tmp_path / "data/weights" / row.published_weights
    assert facts["weights"] == row.published_weights
    path.write_bytes(b"changed")
    with pytest.raises(DataError, match="E-HASH"):
        evaluate_weights(ROW, "published", profile="small", data_root=data_root)


def test_only_the_published_file_at_full_size_fills_the_published_column(tmp_path):
    row = get_row(ROW)
    for profile, name in (("full", "published.json"), ("demo", "evaluated-x.json")):
        path = tmp_path / profile / ROW / name
        path.parent.mkdir(parents=True)
        write_json(path, {"miou": 76.5, "row_id": ROW, "profile": profile, "num_images": 1449})
    assert published_here(tmp_path, "full")[row.row_id]["miou"] == 76.5
    assert published_here(tmp_path, "demo") == {}
    lines = Report.of(profile="full", results_root=str(tmp_path)).table.splitlines()
    assert lines[0].endswith("| published weights, evaluated here |")
    assert [line.split("|")[-2].strip() for line in lines if ROW in line] == ["76.50"]
    assert "evaluated here" not in Report.of(profile="demo", results_root=str(tmp_path)).table


def test_every_published_file_has_an_https_address():
    assert pretrained.SSSEGMENTATION.startswith("https://")
    assert all(remote.url.startswith("https://") for remote in pretrained.BACKBONES.values())


def test_backbone_weights_come_by_name_or_file_and_say_their_stem(tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr(pretrained, "fetch",
                        lambda remote, folder: fetched.append((remote, folder)) or folder / "x")
    assert pretrained.backbone_file("v1c", "resnet101", tmp_path) == tmp_path / "x"
    assert pretrained.backbone_file("torchvision", "resnet50", tmp_path) == tmp_path / "x"
    assert [type(remote) for remote, _ in fetched] == [Remote, Remote]
    assert fetched[0][0].name == "resnet101_v1c-e67eebb6.pth"
    assert pretrained.backbone_file("none", "resnet50") is None
    with pytest.raises(Exception, match="E-WEIGHTS(?s:.*)expected: none, miniature, torchvision"):
        pretrained.backbone_file("imagenet21k", "resnet50")


@pytest.mark.parametrize("stem", ["v1c", "7x7"])
def test_a_run_starts_from_the_backbone_file_it_is_given(tmp_path, stem):
    given = build_model(get_row(ROW), "demo", stem=stem).backbone.state_dict()
    path = save_weights(tmp_path / "b.safetensors", given, row_id="x", profile="demo")
    config = RunConfig.of(row_id=ROW, backbone_weights=str(path))
    started = Experiment(config).model.backbone.state_dict()
    assert all(torch.equal(started[key], given[key]) for key in given)
    assert Experiment(config).backbone_weights == "b.safetensors"
    assert config.command[-2:] == ["--backbone-weights", str(path)]
    assert fingerprint.weights_identity(config) == sha256(path)


def test_each_profile_has_its_own_first_weights():
    assert [RunConfig.of(row_id=ROW, profile=name).first_weights for name in (
        "demo", "small", "medium", "full")] == ["miniature", "miniature", "v1c", "v1c"]


def test_the_command_prints_the_score_and_beside_it_only_what_is_comparable(
        tmp_path, data_root, weights):
    done = CliRunner().invoke(main, [
        "evaluate", ROW, "--weights", str(weights), "--profile", "small", "--data-root",
        str(data_root), "--results", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "mine.pth: mIoU" in done.output and "on 3 images" in done.output
    assert "published" not in done.output  # another size of network
    wrong = CliRunner().invoke(main, ["evaluate", ROW, "--weights", str(weights), "--scales", "a"])
    assert wrong.exit_code == 2


def test_the_command_converts(tmp_path, weights):
    done = CliRunner().invoke(main, ["weights", "convert", str(weights), str(tmp_path / "w"),
                                     "--row", ROW, "--profile", "small"])
    assert done.output == f"376 tensors written to {tmp_path / 'w'}\n"
    wrong = CliRunner().invoke(main, ["weights", "convert", str(weights), str(tmp_path / "v"),
                                      "--row", "ade20k_r50_d16", "--profile", "small"])
    assert wrong.exit_code == 4 and not (tmp_path / "v").exists()


@pytest.mark.parametrize("row_id", ["paper_t6_at8", "paper_t2_r50_block7"])
def test_weights_for_a_row_of_the_papers_tables_are_refused(row_id, data_root, weights):
    for words in (["evaluate", row_id, "--weights", str(weights), "--profile", "small",
                   "--data-root", str(data_root)],
                  ["evaluate", row_id, "--weights", "published"]):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 2 and "Traceback" not in done.output
        assert ("E-ROW what a row of the paper's tables" in done.output
                or f"E-WEIGHTS no weights of row {row_id} are published" in done.output)


def test_an_evaluation_out_of_memory_is_said_with_what_would_do(
        tmp_path, data_root, weights, monkeypatch):
    def full(*given, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    monkeypatch.setattr(module, "evaluate", full)
    with pytest.raises(ResourceError, match="E-OOM(.|\n)*evaluate on the CPU .--device cpu"):
        evaluate_weights(ROW, str(weights), profile="small", data_root=data_root,
                         results_root=tmp_path)
