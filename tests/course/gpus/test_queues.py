"""GPUs that wait for batches and rows that wait for GPUs, by hand and by bounds."""

import pytest

from deeplab.course.gpus.figures import timelines
from deeplab.course.gpus.queues import feed, idle, makespan


def test_one_loader_that_is_slower_than_the_gpu_sets_the_pace():
    steps = feed(1, load=0.3, step=0.2, steps=10)
    assert steps[0] == (0.3, 0.5)
    assert steps[-1][1] == pytest.approx(10 * 0.3 + 0.2)
    assert idle(steps) == pytest.approx(9 * 0.1 / (9 * 0.3 + 0.2))


def test_enough_loaders_leave_no_wait_after_the_first_batch():
    assert idle(feed(2, load=0.3, step=0.2, steps=50)) == pytest.approx(0)
    assert idle(feed(1, load=0.1, step=0.2, steps=50)) == pytest.approx(0)
    assert idle(feed(2, load=0.5, step=0.2, steps=50)) > 0.15


def test_rows_are_done_when_the_last_gpu_is():
    hours = [7, 5, 4, 3, 3]
    assert makespan(hours, 1) == sum(hours)
    assert makespan(hours, 2) == 12  # 7 and 3; 5, 4 and 3
    assert makespan(hours, 9) == max(hours)


def test_a_timeline_has_a_bar_for_each_step_of_each_way():
    fig = timelines({"1": feed(1, load=3, step=2, steps=4), "2": feed(2, load=3, step=2, steps=4)})
    (axes,) = fig.axes
    bars = [collection.get_paths() for collection in axes.collections]
    assert [len(steps) for steps in bars] == [4, 4]
    assert bars[0][0].get_extents().bounds == pytest.approx((3, -0.25, 2, 0.5))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "2"]
