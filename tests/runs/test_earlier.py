"""What an earlier version left is read, or refused with what to do; nothing of it is lost."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from results_folders import result_facts

from deeplab.cli.main import main
from deeplab.data.catalog import SegmentationDataset
from deeplab.miniature import twins
from deeplab.model.network import build_model
from deeplab.model.weights import convert
from deeplab.report import report
from deeplab.runs import batch
from deeplab.runs.config import RunConfig
from deeplab.runs.fingerprint import fingerprint
from deeplab.support.errors import DataError
from deeplab.support.files import write_json
from deeplab.table.rows import get_row

# run.json as the version before the rooms wrote it; its `code` hashed whole folders
EARLIER_MARK = {"row": "d5b7a2b5e5c1", "profile": "2f4c6a9d7e10", "label set": "9a0b1c2d3e4f",
                "code": "0123456789ab", "notebook": "ba9876543210", "data": "00aa11bb22cc",
                "weights": "33dd44ee55ff", "libraries": "66aa77bb88cc"}
EARLIER_SURROUNDINGS = {"torch": "2.5.1.dev0", "torchvision": "0.20.1", "numpy": "2.1.3",
                        "pillow": "11.0.0", "opencv-python-headless": "4.10.0.84",
                        "python": "3.11.9", "machine": "x86_64", "commit": "37d3ffe0a1b2",
                        "dirty": False}
RESULT = {"row_id": "voc_r50_d8", "profile": "demo", "seed": 0, "miou": 43.15, "num_images": 60,
          "steps": 300, "total_steps": 300, "complete": True, "minutes": 0.6, "deviations": [1]}


def earlier_run(root, row_id="voc_r50_d8", mark=EARLIER_MARK):
    """The folder of a run that began with the fingerprint `mark`; returns its config."""
    config = RunConfig.of(row_id=row_id, results_root=str(root))
    write_json(config.folder / "run.json", {
        "parameters": {"row_id": row_id, "profile": "demo", "seed": 0, "max_steps": None,
                       "data_root": None, "results_root": str(root), "gpus": None,
                       "processes": None, "workers": None, "backbone_weights": None},
        "fingerprint": mark, "threads": 1, "started": "2025-01-31T12:00:00Z",
        "surroundings": EARLIER_SURROUNDINGS})
    return config


def with_result(config):
    write_json(config.folder / "result.json", result_facts(config) | RESULT | {
        "row_id": config.row.row_id})
    return config


def contents(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*")
            if path.is_file() and path.name != "lock"}


def invoke(*words):
    return CliRunner().invoke(main, list(map(str, words)))


def test_a_result_of_an_earlier_version_is_refused_with_what_to_do_and_kept(tmp_path):
    with_result(earlier_run(tmp_path))
    before = contents(tmp_path)
    done = invoke("run", "voc_r50_d8", "--results", tmp_path)
    assert done.exit_code == 2 and done.stderr.startswith("E-STALE")
    assert "took 36 s, mIoU 43.15 %" in done.stderr and "code" in done.stderr
    assert "--again" in done.stderr and contents(tmp_path) == before


def test_resuming_a_checkpoint_of_an_earlier_version_is_refused_and_it_is_kept(tmp_path):
    config = earlier_run(tmp_path)
    write_json(config.folder / "checkpoints/checkpoints.json",
               [{"step": 150, "file": "step-0000150.pt", "sha256": "0" * 64}])
    (config.folder / "checkpoints/step-0000150.pt").write_bytes(b"weights")
    (config.folder / "log.jsonl").write_text('{"step": 150, "total_steps": 300, "seconds": 7201}\n')
    before = contents(tmp_path)
    done = invoke("run", "voc_r50_d8", "--results", tmp_path)
    assert done.exit_code == 2 and "a checkpoint of step 150 that took 2 h 00 min" in done.stderr
    assert contents(tmp_path) == before
    shown = invoke("status", "--results", tmp_path).output
    assert "stale: another row, " in shown and "--again" in shown


@pytest.fixture
def started(monkeypatch):
    """The rows that a table starts, which end well at once; the report is not written."""
    rows = []

    def run_rows(configs, *, jobs, again=False, say=print):
        rows.extend((config.row.row_id, again) for config in configs)
        return {config.row.row_id: 0 for config in configs}

    monkeypatch.setattr(batch, "run_rows", run_rows)
    monkeypatch.setattr(report.Report, "make", lambda root, profile: root)
    return rows


def test_a_table_leaves_what_is_stale_goes_on_with_the_others_and_ends_non_zero(tmp_path, started):
    with_result(earlier_run(tmp_path))
    before = contents(tmp_path)
    done = invoke("table", "--rows", "voc_r50_*", "--results", tmp_path)
    assert done.exit_code == 2 and started == [("voc_r50_d16", False)]
    assert "voc_r50_d8: E-STALE" in done.output and contents(tmp_path) == before
    assert invoke("table", "--rows", "voc_r50_*", "--results", tmp_path, "--again").exit_code == 0
    assert started[1:] == [("voc_r50_d8", True), ("voc_r50_d16", True)]


def test_a_table_of_results_that_are_merely_noted_ends_with_0(tmp_path, started):
    config = RunConfig.of(row_id="voc_r50_d8", results_root=str(tmp_path))
    with_result(earlier_run(tmp_path, mark=fingerprint(config)))
    done = invoke("table", "--rows", "voc_r50_d8", "--results", tmp_path)
    assert done.exit_code == 0 and started == []
    assert "voc_r50_d8: skipped, it is done" in done.output
    assert "noted: made with torch 2.5.1.dev0, now " in invoke(
        "status", "--results", tmp_path).output


@pytest.mark.parametrize("option", ["--dry-run", "--print-sbatch"])
def test_the_commands_of_the_rows_hand_on_that_they_may_begin_again(tmp_path, option):
    words = ("table", "--rows", "voc_r50_d8", "--results", tmp_path, option)
    assert "--again" not in invoke(*words).output
    assert f"--results {tmp_path} --again" in invoke(*words, "--again").output


def test_a_row_that_a_table_begins_again_is_told_so(tmp_path):
    config = RunConfig.of(row_id="voc_r50_d8", results_root=str(tmp_path))
    assert batch.row_command(config, False) == config.command
    assert batch.row_command(config, True) == [*config.command, "--again"]


def test_weights_of_an_earlier_version_are_read_under_todays_names():
    row = get_row("voc_r50_d16")
    torch.manual_seed(0)
    weights = build_model(row, "demo").state_dict()
    earlier = {key.replace("aspp.image_pooling.", "aspp.image.").replace(
        "aspp.project.", "aspp.fusion."): value for key, value in weights.items()}
    assert earlier.keys() != weights.keys()
    read = convert(earlier, row, "demo")
    assert read.keys() == weights.keys()
    assert all(torch.equal(read[key], weights[key]) for key in weights)


def test_a_pack_without_checksums_is_refused_with_the_command_that_makes_it_anew(make_tree):
    tree = make_tree("voc")
    image, label = np.full((2, 3, 3), 7, np.uint8), np.full((2, 3), 5, np.uint8)
    Image.fromarray(image).save(tree.image("n0"))
    Image.fromarray(label).save(tree.label("n0"))
    tree.list("train", "n0")
    files = SegmentationDataset("voc", tree.root, "train")
    stats = [path.stat() for path in (files.image_path(0), files.label_path(0))]
    state = ["n0", *(value for stat in stats for value in (stat.st_size, stat.st_mtime_ns))]
    index = json.dumps({"format": "deeplab pack 1", "lookup": files.label_set.lookup.tolist(),
                        "samples": [[state, 0, 2, 3]]}).encode()
    path = tree.root / "packed/voc-train.pack"
    path.parent.mkdir()
    path.write_bytes((image + 1).tobytes() + label.tobytes() + index
                     + len(index).to_bytes(8, "little"))
    with pytest.raises(DataError, match=r"E-PACK(.|\n)*an earlier version(.|\n)*deeplab data pack"):
        SegmentationDataset("voc", tree.root, "train")
    files.pack()
    assert SegmentationDataset("voc", tree.root, "train").packed is not None


def test_a_twin_of_an_earlier_version_is_drawn_anew(tmp_path, monkeypatch):
    folder = twins.miniature("cityscapes", tmp_path)
    stamp = json.loads((folder / "miniature.json").read_text())
    write_json(folder / "miniature.json", stamp | {"version": "0123456789ab"})
    assert json.loads((twins.miniature("cityscapes", tmp_path) / "miniature.json").read_text()
                      ) == stamp
