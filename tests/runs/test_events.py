"""TensorBoard's files hold the log's numbers; without TensorBoard they are refused at once."""

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from deeplab.runs import events
from deeplab.runs.chosen import chosen_runs
from deeplab.runs.config import RunConfig
from deeplab.runs.events import EventFiles, check_tensorboard
from deeplab.runs.fingerprint import fingerprint
from deeplab.runs.run_row import run_row
from deeplab.support.errors import ResourceError, UsageError

LINES = [{"step": 2, "lr": 0.1, "loss": 3.0, "loss_aux": 1.0, "seconds": 4.0},
         {"step": 4, "lr": 0.05, "loss": 2.0, "loss_aux": 0.5, "seconds": 10.0},
         {"step": 4, "miou": 30.0, "class_iou": [0.25, None], "seconds": 12.0}]


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_without_tensorboard_a_run_is_refused_before_it_writes_anything(missing, tmp_path):
    config = RunConfig.of(row_id="voc_r50_d16", results_root=tmp_path, tensorboard=True)
    for refused in (check_tensorboard, lambda: run_row(config),
                    lambda: chosen_runs(["voc_*"], [0], {"tensorboard": True}),
                    lambda: EventFiles(tmp_path, 0, [])):
        with pytest.raises(UsageError, match=r"E-TENSORBOARD(.|\n)*deeplab\[tensorboard\]"):
            refused()
    assert not list(tmp_path.iterdir())


def test_event_files_are_no_part_of_what_a_result_is(tmp_path):
    plain, asked = (RunConfig.of(row_id="voc_r50_d16", data_root=tmp_path, tensorboard=value)
                    for value in (False, True))
    assert fingerprint(plain) == fingerprint(asked) and plain.folder == asked.folder
    assert plain.changes == asked.changes == {}
    assert asked.command[-1] == "--tensorboard" and "--tensorboard" not in plain.command


@pytest.fixture
def written(monkeypatch):
    """What a stand-in of TensorBoard's writer was given."""
    found = []

    class Writer:
        def __init__(self, folder, purge_step):
            found.append((folder, purge_step))

        def add_scalar(self, *values):
            found.append(values)

        def add_image(self, tag, pixels, step, dataformats):
            found.append((tag, pixels.shape, step, dataformats))

        def close(self):
            found.append("closed")
    monkeypatch.setattr(events, "check_tensorboard", lambda: None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard",
                        SimpleNamespace(SummaryWriter=Writer))
    return found


def test_they_hold_the_log_from_the_checkpoint_on_and_the_predictions(written, tmp_path):
    files = EventFiles(tmp_path, 4, ["sky", "cow"])
    files.close()
    assert written == []  # nothing to write, nothing made
    for line in LINES:
        files.line(line)
    files.picture(4, np.zeros((5, 7, 3), np.uint8))
    files.close()
    assert written == [
        (str(tmp_path / "tensorboard"), 4), ("loss/whole", 2.0, 4), ("loss/auxiliary part", 0.5, 4),
        ("learning rate", 0.05, 4), ("mIoU", 30.0, 4), ("IoU/sky", 25.0, 4),
        ("prediction", (5, 7, 3), 4, "HWC"), "closed"]


def test_a_link_is_not_followed(written, tmp_path):
    (tmp_path / "tensorboard").symlink_to("/etc")
    with pytest.raises(ResourceError, match="E-LINK"):
        EventFiles(tmp_path, 0, [])
