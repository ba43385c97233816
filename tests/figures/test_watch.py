"""A training that is watched is the same training, and its line and picture say what it did."""

import json
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from deeplab.data.catalog import DATASETS
from deeplab.figures import watch
from deeplab.figures.watch import Seen, Watch, progress_figure, smaller, spread_over

VOC = DATASETS["voc"]
LINES = [{"step": 0, "total_steps": 6, "processes": 1},
         {"step": 2, "lr": 0.1, "loss": 3.0, "loss_aux": 1.0, "seconds": 4.0},
         {"step": 2, "miou": 20.0, "class_iou": [0.2], "seconds": 5.0},
         {"step": 4, "lr": 0.05, "loss": 2.0, "loss_aux": 0.5, "seconds": 10.0},
         {"step": 4, "miou": 30.0, "class_iou": [0.3], "seconds": 12.0}]
LABEL = np.zeros((4, 6), np.uint8)


class Handle:
    """Stands for a place in a notebook's output, and keeps what was shown there."""

    def __init__(self):
        self.shown = []
        HANDLES.append(self)

    def display(self, data, **words):
        self.shown.append((data, words.get("metadata")))

    update = display


HANDLES = []


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """Two images and a folder for the log; the notebook is `HANDLES`: its line, its picture."""
    HANDLES.clear()
    monkeypatch.setattr(watch, "DisplayHandle", Handle)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    config = SimpleNamespace(folder=tmp_path, label_set=VOC, row=SimpleNamespace(row_id="row"),
                             tensorboard=False)
    config.training = config
    return SimpleNamespace(config=config, settings=SimpleNamespace(stop_step=6),
                           eval_set=[(np.zeros((4, 6, 3), np.uint8), LABEL)] * 2)


def log(folder, count):
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES[:count]))


def evaluation(miou):
    return SimpleNamespace(mean_iou=miou)


def test_line_and_picture_follow_the_log_and_stay(experiment, tmp_path):
    watched = Watch(experiment)
    line, picture = HANDLES
    log(tmp_path, 2)
    watched.evaluated(evaluation(20.0), LABEL)
    log(tmp_path, 4)
    watched.evaluated(evaluation(30.0), LABEL + 1)
    log(tmp_path, 5)
    end = threading.Event()
    while "mIoU 30.00" not in line.shown[-1][0]["text/plain"]:
        assert not end.wait(0.01) and len(line.shown) < 2000
    assert "running" in line.shown[-1][0]["text/plain"]
    assert "67 %" in line.shown[-1][0]["text/plain"] and "6 s to go" in line.shown[-1][0][
        "text/plain"]
    watched.close()
    assert not watched._thread.is_alive()
    assert line.shown[-1][0]["text/plain"].endswith("mIoU 30.00  in 12 s")
    assert "stopped" in line.shown[-1][0]["text/plain"]  # 4 of 6 steps
    data, metadata = picture.shown[-1]
    assert "after 2, 4 steps" in data["text/plain"] == metadata["image/png"]["alt"]


def test_pictures_take_a_small_share_of_the_time_but_the_last_is_drawn(
        experiment, tmp_path, monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: next(now)))
    monkeypatch.setattr(watch, "LOOK_SECONDS", 60)
    watched = Watch(experiment)
    picture = HANDLES[1].shown
    for count, miou in ((2, 20.0), (4, 30.0)):
        log(tmp_path, count)
        watched.evaluated(evaluation(miou), LABEL)
        log(tmp_path, count + 1)
        watched._look()  # a clock that moves on at each glance: drawing took a third of the time
    assert len(picture) == 2 and "after 2 steps" in picture[-1][0]["text/plain"]
    watched.close()
    assert len(picture) == 3 and "after 2, 4 steps" in picture[-1][0]["text/plain"]


def test_an_older_log_is_not_taken_for_this_training(experiment, tmp_path):
    log(tmp_path, 5)
    watched = Watch(experiment)
    threading.Event().wait(0.1)
    assert all("mIoU" not in data["text/plain"] for data, _ in HANDLES[0].shown)
    watched.close()


def test_a_log_that_cannot_be_read_is_said_and_ends_nothing(experiment, tmp_path):
    watched = Watch(experiment)
    (tmp_path / "log.jsonl").write_text('{"step": -1}\n')
    watched.close()
    assert "not all is shown: E-RECORD" in HANDLES[0].shown[-1][0]["text/plain"]


def test_each_prediction_stands_below_its_step():
    seen = [(step, Seen(0, step / 10, LABEL + step)) for step in (2, 4)]
    axes = progress_figure(np.zeros((4, 6, 3), np.uint8), LABEL, seen, VOC).axes
    assert [one.get_title() for one in axes] == ["image", "truth", "step 2: 0 %", "step 4: 0 %"]
    colours = [one.images[0].get_array()[0, 0].tolist() for one in axes[1:]]
    assert colours == [list(VOC.palette[index]) for index in (0, 2, 4)]


def test_pictures_are_thinned_out_and_so_are_many_of_them():
    assert smaller(np.zeros((375, 500), np.uint8)).shape == (188, 250)
    label = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert (smaller(label) == label).all()
    assert spread_over(range(10)) == [0, 3, 6, 9] and spread_over([]) == []
