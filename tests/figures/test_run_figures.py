"""The pictures of one run: the data must stand in the artists, not only be drawn somehow."""

import math

import numpy as np
import pytest
import torch

from deeplab.data.augment import normalize, to_tensor
from deeplab.data.catalog import DATASETS
from deeplab.figures import run, tables
from deeplab.figures.plots import png
from deeplab.support.void import VOID_GREY

pytestmark = pytest.mark.filterwarnings("error")
VOC = DATASETS["voc"]
LOG = [{"step": 0, "total_steps": 6},
       {"step": 2, "lr": 0.1, "loss": 3.0, "loss_aux": 1.0, "seconds": 1.0},
       {"step": 4, "lr": 0.05, "loss": 2.0, "loss_aux": 0.5, "seconds": 2.0},
       {"step": 4, "miou": 20.0, "class_iou": [], "seconds": 3.0},
       {"step": 6, "lr": 0.01, "loss": 2.5, "loss_aux": 0.6, "seconds": 4.0},
       {"step": 6, "miou": 31.25, "class_iou": [], "seconds": 5.0}]


def test_a_shown_image_is_the_image_before_it_was_normalised():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    assert (run.shown_image(to_tensor(normalize(image))) == image).all()


def test_the_sample_grid_shows_each_image_above_its_overlay():
    image = np.full((4, 6, 3), 50, np.uint8)
    label = torch.full((4, 6), 255)
    samples = [(to_tensor(normalize(image)), label)] * 5
    fig = run.sample_grid(samples, VOC)
    grid = np.array(fig.axes[:16]).reshape(4, 4)
    shown = [[len(axes.images) for axes in line] for line in grid]
    assert shown == [[1, 1, 1, 1], [1, 1, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert grid[2, 0].get_title() == "sample 5"
    assert (grid[0, 0].images[0].get_array() == image).all()
    mixed = np.round(0.4 * 50 + 0.6 * np.array(VOID_GREY))
    assert (grid[1, 0].images[0].get_array() == mixed).all()


def test_loss_and_learning_rate_are_drawn_at_their_steps():
    left, right = run.loss_curves(LOG).axes
    whole, auxiliary = left.lines
    assert whole.get_xydata().tolist() == [[2, 3], [4, 2], [6, 2.5]]
    assert auxiliary.get_ydata().tolist() == [1, 0.5, 0.6]
    assert right.lines[0].get_ydata().tolist() == [0.1, 0.05, 0.01]
    assert right.get_ylim()[0] == 0 and right.get_ylim()[1] > 0.1


def test_miou_over_time_names_every_evaluation():
    axes = run.miou_over_time(LOG).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[4, 20], [6, 31.25]]
    assert [text.get_text() for text in axes.texts] == ["20.0", "31.2"]
    assert axes.get_title(loc="left") == "31.25 % mIoU after 6 steps"


def test_class_bars_are_sorted_and_leave_absent_classes_out():
    iou = dict.fromkeys(VOC.classes, None) | {"cat": 80.0, "dog": 20.0, "bus": 95.0, "cow": 0.0}
    fig = run.class_bars(iou, VOC)
    axes = fig.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["bus", "cat", "dog", "cow"]
    assert [bar.get_width() for bar in axes.patches] == [95, 80, 20, 0]
    bus = np.array(VOC.palette[VOC.classes.index("bus")]) / 255
    assert np.allclose(axes.patches[0].get_facecolor()[:3], bus)
    assert fig.get_suptitle().startswith("4 of 21 classes occur")
    assert fig.get_suptitle().endswith("48.75 %")  # (80 + 20 + 95 + 0) / 4
    assert tables.absent_classes(iou).startswith("Absent from truth and prediction")
    assert "aeroplane" in tables.absent_classes(iou)
    assert " cat," not in tables.absent_classes(iou)


def test_many_classes_are_spread_over_columns_and_none_is_lost():
    ade = DATASETS["ade20k"]
    iou = {name: float(index % 97) for index, name in enumerate(ade.classes)}
    fig = run.class_bars(iou, ade)
    names = [label.get_text() for axes in fig.axes for label in axes.get_yticklabels()]
    assert len(fig.axes) == 5 and sorted(names) == sorted(ade.classes)


def test_best_median_and_worst_are_picked_without_images_that_do_not_count():
    mious = [50.0, math.nan, 10.0, 90.0, 30.0, 70.0]
    assert run.picks(mious) == {"best": 3, "median": 0, "worst": 2}
    assert run.picks([math.nan, 7.0]) == {"best": 1, "median": 1, "worst": 1}


def test_the_error_map_tells_right_wrong_and_void_apart():
    shown = run.error_map(np.array([[1, 2, 255]]), np.array([[1, 3, 3]]))
    assert shown.tolist() == [[list(run.RIGHT), list(run.WRONG), list(VOID_GREY)]]


def test_example_rows_state_score_and_share_of_wrong_pixels():
    label = np.array([[0, 0, 15, 255]] * 2)
    example = run.Example("best", np.zeros((2, 4, 3), np.uint8), label,
                                  np.array([[0, 15, 15, 0]] * 2), 66.4)
    fig = run.example_rows([example], VOC)
    titles = [axes.get_title() for axes in fig.axes]
    assert titles == ["best: 66 % mIoU", "truth", "prediction", "33 % of pixels wrong"]
    assert len(png(fig)) > 1000


def test_tables_keep_names_left_and_numbers_right():
    table = tables.markdown_table(("part", "GMACs"), [("aspp", "1.5")])
    assert table.splitlines() == ["| part | GMACs |", "| :--- | ---: |", "| aspp | 1.5 |"]


def test_without_a_labelled_pixel_each_figure_says_so():
    log = [line | ({"miou": None} if "miou" in line else {}) for line in LOG]
    for fig in (run.miou_over_time(log), run.class_bars(dict.fromkeys(VOC.classes), VOC),
                run.example_rows([], VOC)):
        assert [text.get_text() for text in fig.texts] == [run.NO_SCORE]
        png(fig)
    assert run.picks([math.nan, math.nan]) == {}
