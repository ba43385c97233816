"""The score against hand-worked maps, a count with Python sets, and two peers' numbers."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from deeplab.evaluation.metrics import class_iou, confusion_matrix, mean_iou, pixel_accuracy
from deeplab.support.errors import DataError
from deeplab.support.void import IGNORE_INDEX
from deeplab.support.void import IGNORE_INDEX as DATA_IGNORE_INDEX

REFERENCE = Path(__file__).parents[1] / "reference/metrics"
SUMMARY = json.loads((REFERENCE / "summary.json").read_text())


def random_maps(seed: int, num_classes: int = 5, shape: tuple[int, ...] = (2, 9, 13)):
    """A prediction, and a label of which about one pixel in six is ignored."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, num_classes + 1, shape)
    label[label == num_classes] = 255
    return torch.from_numpy(rng.integers(0, num_classes, shape)), torch.from_numpy(label)


@pytest.fixture(params=SUMMARY)
def peer(request):
    """Name, stored arrays and our confusion of one reference case, its images added up."""
    with np.load(REFERENCE / f"iou__{request.param}.npz") as stored:
        arrays = dict(stored)
    num_classes = int(arrays["num_classes"])
    count = sum(key.startswith("label_") for key in arrays)
    confusion = sum(confusion_matrix(arrays[f"pred_{i}"], arrays[f"label_{i}"],
                                     num_classes=num_classes) for i in range(count))
    return request.param, arrays, confusion


def test_class_scores_equal_both_peers(peer):
    _, arrays, confusion = peer
    np.testing.assert_allclose(class_iou(confusion), arrays["sss_iou"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(class_iou(confusion), arrays["mm_IoU"], rtol=0, atol=1e-7)


def test_set_scores_equal_both_peers_and_are_per_cent(peer):
    name, _, confusion = peer
    want = SUMMARY[name]
    assert mean_iou(confusion) / 100 == pytest.approx(want["sss_miou"], abs=1e-12)
    assert mean_iou(confusion) / 100 == pytest.approx(want["mm_mIoU"], abs=1e-7)
    assert pixel_accuracy(confusion) / 100 == pytest.approx(want["sss_all_accuracy"], abs=1e-12)
    assert class_iou(confusion).isnan().sum() == want["nan_classes"]


def test_sums_of_the_matrix_are_the_areas_of_the_peer(peer):
    """Rows are truth and columns are predictions: transposed, these would not agree."""
    _, arrays, confusion = peer
    np.testing.assert_array_equal(confusion.sum(1), arrays["mm_area_label"])
    np.testing.assert_array_equal(confusion.sum(0), arrays["mm_area_pred"])
    np.testing.assert_array_equal(confusion.diagonal(), arrays["mm_area_intersect"])


def test_a_map_worked_by_hand():
    label = torch.tensor([[0, 0, 1], [1, 1, 255], [2, 2, 0]])
    prediction = torch.tensor([[0, 1, 1], [1, 0, 2], [2, 2, 0]])
    confusion = confusion_matrix(prediction, label, num_classes=4)
    assert confusion.tolist() == [[2, 1, 0, 0], [1, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]]
    assert confusion.dtype == torch.int64
    assert class_iou(confusion)[:3].tolist() == [0.5, 0.5, 1.0]
    assert math.isnan(class_iou(confusion)[3]), "class 3 is neither there nor predicted"
    assert mean_iou(confusion) == pytest.approx(200 / 3)
    assert pixel_accuracy(confusion) == 75.0


def test_iou_equals_intersection_over_union_of_sets_of_pixels():
    prediction, label = random_maps(seed=1)
    valid = {tuple(p) for p in (label != 255).nonzero().tolist()}
    for index, iou in enumerate(class_iou(confusion_matrix(prediction, label, num_classes=5))):
        found = {tuple(p) for p in (prediction == index).nonzero().tolist()} & valid
        truth = {tuple(p) for p in (label == index).nonzero().tolist()}
        assert iou.item() == len(found & truth) / len(found | truth)


def test_a_predicted_class_that_is_not_there_scores_0_and_one_never_seen_has_no_score():
    confusion = confusion_matrix(torch.tensor([0, 1]), torch.tensor([0, 0]), num_classes=3)
    assert class_iou(confusion)[:2].tolist() == [0.5, 0.0]
    assert mean_iou(confusion) == 25.0


def test_matrices_of_parts_add_up_to_the_matrix_of_the_whole():
    prediction, label = random_maps(seed=2)
    parts = sum(confusion_matrix(p, q, num_classes=5) for p, q in zip(prediction, label))
    assert torch.equal(parts, confusion_matrix(prediction, label, num_classes=5))


def test_ignored_pixels_cannot_change_the_matrix():
    prediction, label = random_maps(seed=3)
    other = prediction.where(label != 255, torch.tensor(255))
    assert torch.equal(confusion_matrix(prediction, label, num_classes=5),
                       confusion_matrix(other, label, num_classes=5))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.int64])
def test_every_integer_type_counts_alike(dtype):
    """150 classes squared do not fit into a narrow integer."""
    prediction, label = random_maps(seed=4, num_classes=150)
    got = confusion_matrix(prediction.numpy().astype(dtype), label.numpy().astype(dtype),
                           num_classes=150)
    assert torch.equal(got, confusion_matrix(prediction, label, num_classes=150))


def test_another_ignore_index_can_be_negative():
    got = confusion_matrix(torch.tensor([1, 1]), torch.tensor([-1, 1]), num_classes=2,
                           ignore_index=-1)
    assert got.tolist() == [[0, 0], [0, 1]]


def test_without_a_pixel_that_counts_there_is_no_score():
    nothing = torch.full((2, 2), 255)
    confusion = confusion_matrix(nothing, nothing, num_classes=2)
    assert confusion.sum() == 0
    assert math.isnan(mean_iou(confusion)) and math.isnan(pixel_accuracy(confusion))


def test_ignored_pixels_have_one_number_in_the_whole_package():
    assert IGNORE_INDEX == DATA_IGNORE_INDEX


@pytest.mark.parametrize(("prediction", "label", "message"), [
    ([0, 0, 0], [0, 38, 38], r"E-LABEL .*(\n.*)*38 \(2 pixels\)   expected: 0..20 and 255"),
    ([0, 0, 0], [0, -1, 0], r"E-LABEL .*(\n.*)*-1 \(1 pixels\)"),
    ([0, 21, 0], [0, 0, 0], r"E-PREDICTION .*(\n.*)*21 \(1 pixels\)   expected: 0..20"),
    ([0, 0], [0, 0, 0], r"E-SHAPE .*(\n.*)*found: \(2,\)   expected: \(3,\)"),
    ([0.0, 0.0, 0.0], [0, 0, 0], r"E-PREDICTION .*(\n.*)*torch.float32   expected: integers"),
    ([0, 0, 0], [0.0, 0.0, 0.0], "E-LABEL"),
])
def test_what_is_not_a_class_is_refused(prediction, label, message):
    with pytest.raises(DataError, match=message):
        confusion_matrix(torch.tensor(prediction), torch.tensor(label), num_classes=21)


@pytest.mark.filterwarnings("error")
def test_read_only_labels_are_counted_without_a_warning():
    label = np.array([[0, 1], [1, 255]], np.uint8)
    label.setflags(write=False)
    assert confusion_matrix(label, label, num_classes=2).tolist() == [[1, 0], [0, 2]]
