"""The pictures of lesson 8 show the numbers they are given."""

import numpy as np

from deeplab.course.training import figures
from deeplab.data.catalog import get_dataset
from deeplab.figures.plots import png

VOC = get_dataset("voc")


def test_schedules_are_drawn_in_per_cent_of_their_first_rate():
    fig = figures.schedules({"a": [0.2, 0.1, 0.05], "b": [4.0, 4.0]})
    lines = fig.axes[0].lines
    assert lines[0].get_ydata().tolist() == [100, 50, 25]
    assert lines[0].get_xdata().tolist() == [0, 50, 100]
    assert lines[1].get_ydata().tolist() == [100, 100]


def test_curves_show_the_losses_and_the_line_of_ignorance():
    fig = figures.curves({"one": [3.0, 0.5], "two": [3.0, 2.0]}, ignorant=3.04)
    assert [line.get_ydata()[0] for line in fig.axes[0].lines] == [3.0, 3.0, 3.04]
    assert [text.get_text() for text in fig.axes[0].get_legend().get_texts()] == [
        "one", "two", "knows nothing"]


def test_histograms_add_up_to_a_hundred_per_cent():
    fig = figures.normalised({2: np.array([[1.0], [-1.0]]), 4: np.zeros((4, 3))})
    heights = [sum(bar.get_height() for bar in ax.patches) for ax in fig.axes]
    np.testing.assert_allclose(heights, 100)


def test_scores_have_their_mean_drawn():
    fig = figures.scores_by_batch({2: [20.0, 60.0], 4: [50.0]}, running=55)
    means = [line for line in fig.axes[0].lines if line.get_label() == "mean"]
    assert means[0].get_ydata().tolist() == [40, 50]


def test_a_run_is_drawn_before_its_end():
    label = np.array([[0, 7], [255, 7]], np.uint8)
    panels = {"image": np.zeros((2, 2, 3), np.uint8), "label": label, "prediction": label}
    fig = figures.watched([(0.05, 4.0), (0.04, 3.0)], 80, panels, VOC)
    assert png(fig)
    assert fig.subfigs[0].axes[0].get_xlim() == (0, 80)
    assert fig.subfigs[0].axes[1].lines[0].get_ydata().tolist() == [0.05, 0.04]
