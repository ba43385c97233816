"""The pictures of lesson 7 show what the loaders and the pipeline really do."""

import numpy as np
import pytest

from deeplab.course.datasets import figures
from deeplab.data.augment import MEAN, STD, TrainTransform
from deeplab.data.catalog import get_dataset
from deeplab.figures.plots import png

VOC = get_dataset("voc")
TRANSFORM = TrainTransform(target=(96, 48), crop_height=40, crop_width=40)


@pytest.fixture
def scene():
    rng = np.random.default_rng(1)
    label = np.repeat(np.repeat(rng.integers(0, 5, (6, 8), np.uint8), 8, 0), 8, 1)
    return rng.integers(0, 256, (48, 64, 3), np.uint8), label


@pytest.mark.parametrize("seed", range(8))
def test_the_steps_end_where_the_transform_of_training_ends(scene, seed):
    found = figures.steps(*scene, TRANSFORM, np.random.default_rng(seed))
    image, label = TRANSFORM(*scene, np.random.default_rng(seed))
    shown, shown_label = list(found.values())[-1]
    assert np.array_equal(shown_label, label.numpy())
    colours = image.numpy().transpose(1, 2, 0) * STD + MEAN
    assert np.abs(shown - colours).max() <= 0.501


def test_the_pipeline_is_titled_with_the_sizes(scene):
    draws = [figures.steps(*scene, TRANSFORM, np.random.default_rng(seed)) for seed in (0, 1)]
    fig = figures.pipeline(draws, VOC)
    assert png(fig)
    titles = [ax.get_title() for ax in fig.axes if ax.get_title()]
    assert len(titles) == 12
    assert titles[0] == "as stored\n48 x 64" and titles[-1] == "padded\n40 x 40"


def test_shares_leave_void_out():
    class Two:
        label_set = VOC

        def __iter__(self):
            yield None, np.array([[0, 0, 255], [7, 255, 255]], np.uint8)
            yield None, np.array([[7]], np.uint8)

    shares = figures.counted_shares(Two())
    assert shares.shape == (21,)
    assert shares[0] == shares[7] == 0.5 and shares.sum() == 1


def test_a_value_means_something_else_in_every_set():
    assert figures.meanings(0) == {"voc": "background", "ade20k": "ignored",
                                   "cityscapes": "ignored", "context": "background",
                                   "context59": "ignored"}
    assert figures.meanings(255)["ade20k"] == "not allowed"
    assert figures.meanings(1)["context"] == figures.meanings(1)["context59"] == "aeroplane"


def test_a_tree_counts_files_that_it_does_not_show(tmp_path):
    for name in ("a/1.jpg", "a/2.jpg", "a/3.jpg", "a/4.jpg", "b/c/one.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert figures.folder_tree(tmp_path).splitlines() == [
        "a/", "  1.jpg", "  ... 4 files", "b/", "  c/", "    one.txt"]


def test_the_titles_count_the_classes_and_the_third_panel_shows_what_was_invented():
    nearest = np.array([[0, 1], [1, 255]], np.uint8)
    bilinear = np.array([[0, 1], [2, 128]], np.uint8)
    fig = figures.resized_labels(nearest, bilinear, VOC)
    assert [ax.get_title() for ax in fig.axes] == [
        "nearest: 2 classes", "bilinear: 3 classes", "invented by bilinear"]
    faults = fig.axes[2].images[0].get_array()
    assert tuple(faults[1, 1]) == figures.RED_RGB and tuple(faults[1, 0]) == figures.BLACK_RGB
    assert np.ptp(faults[0]) == 0 and png(fig)


def test_what_was_invented_is_no_class_or_one_that_is_not_there():
    true = np.array([[0, 15, 255]], np.uint8)
    no_class, wrong = figures.invented(np.array([[0, 15, 255, 7, 21, 254]], np.uint8), true, VOC)
    assert no_class.tolist() == [[False, False, False, False, True, True]]
    assert wrong.tolist() == [[False, False, False, True, False, False]]
