"""The checks of lesson 1 pass the right answer and name each usual mistake."""

import math

import numpy as np
import pytest
import torch

from deeplab.course.labels import checks
from deeplab.evaluation.metrics import confusion_matrix, mean_iou


def from_copy(raw, label_map):
    return from_map(np.full_like(raw, 255), raw, label_map)


def from_map(label, raw, label_map):
    for value, train_id in label_map.items():
        label[raw == value] = train_id
    return label


def in_place(raw, label_map):
    for value, train_id in label_map.items():
        raw[raw == value] = train_id
    return raw


def one_after_the_other(raw, label_map):
    label = raw.copy()
    for value, train_id in label_map.items():
        label[label == value] = train_id
    return label


def classes_only(raw, label_map):
    label = raw.copy()
    for value, train_id in label_map.items():
        if train_id != 255:
            label[raw == value] = train_id
    return label


def test_comparing_with_the_raw_values_is_correct():
    assert checks.check_to_train_ids(from_copy).startswith("Exercise 1.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (in_place, "changed the raw label"),
    (one_after_the_other, "mapped twice"),
    (classes_only, "Values of no class"),
    (lambda raw, label_map: from_map(np.zeros_like(raw), raw, label_map), "does not know"),
    (lambda raw, label_map: from_map(raw.copy(), raw, label_map), "does not know"),
    (lambda raw, label_map: from_copy(raw, label_map).astype(np.int64), "got int64"),
    (lambda raw, label_map: np.vectorize(label_map.__getitem__)(raw), "raised KeyError"),
    (lambda raw, label_map: raw.ravel(), "shape"),
    (lambda raw, label_map: from_copy(raw, label_map).tolist(), "numpy array of shape (2, "),
    (lambda raw, label_map: None, "got NoneType"),
])
def test_wrong_train_ids_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_to_train_ids(mistake)
    assert "not yet" in verdict and message in verdict


def ious(confusion):
    hit, either = confusion.diagonal(), confusion.sum(0) + confusion.sum(1)
    return hit / (either - hit)


def by_hand(confusion):
    scores = []
    for index, row in enumerate(confusion.tolist()):
        hit = row[index]
        union = sum(row) + int(confusion[:, index].sum()) - hit
        scores.append(hit / union if union else float("nan"))
    return scores


@pytest.mark.parametrize("answer", [ious, by_hand])
def test_hits_over_union_are_correct(answer):
    assert checks.check_iou_of_each(answer).startswith("Exercise 1.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda confusion: ious(confusion).nan_to_num(0), "NaN, not 0"),
    (lambda confusion: confusion.diagonal() / confusion.sum(1), "recall"),
    (lambda confusion: confusion.diagonal() / confusion.sum(0), "precision"),
    (lambda confusion: confusion.diagonal() / (confusion.sum(0) + confusion.sum(1)), "twice"),
    (lambda confusion: 100 * ious(confusion), "per cent"),
    (lambda confusion: confusion.diagonal() / confusion.sum(), "56 predicted: 0.8197"),
    (lambda confusion: [0.5], "one per class"),
])
def test_wrong_ious_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_iou_of_each(mistake)
    assert "not yet" in verdict and message in verdict


def test_the_score_of_the_summed_matrix_is_correct():
    verdict = checks.check_set_mean_iou(lambda images: 100 * ious(sum(images)).nanmean().item())
    assert verdict.startswith("Exercise 1.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda images: sum(100 * ious(one).nanmean().item() for one in images) / len(images),
     "Add the matrices first"),
    (lambda images: ious(sum(images)).nanmean().item(), "Per cent"),
    (lambda images: 100 * ious(sum(images)).mean().item(), "absent classes"),
    (lambda images: 100 * ious(sum(images)).nan_to_num(0).mean().item(), "counted it as 0"),
    (lambda images: 100 * math.prod([0.5, 0.5]), "in the sum of the matrices, in per cent; got 25"),
    (lambda images: 100 * (sum(images).diagonal().sum() / sum(images).sum()).item(),
     "share of pixels that are right"),
])
def test_wrong_scores_of_a_set_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_set_mean_iou(mistake)
    assert "not yet" in verdict and message in verdict


def matrix_of(label, prediction, classes):
    return confusion_matrix(prediction, label, num_classes=classes)


def streaming(pairs, classes):
    total = 0
    for label, prediction in pairs:
        total = total + matrix_of(label, prediction, classes)
        yield mean_iou(total)


def at_the_end(pairs, classes):
    matrices = [matrix_of(*pair, classes) for pair in pairs]
    for count in range(1, len(matrices) + 1):
        yield mean_iou(sum(matrices[:count]))


def means_of_images(pairs, classes):
    own = []
    for pair in pairs:
        own.append(mean_iou(matrix_of(*pair, classes)))
        yield float(np.nanmean(own)) if not np.isnan(own).all() else math.nan


def in_bytes(pairs, classes):
    total = 0
    for label, prediction in pairs:
        numbers = (label * np.uint8(classes) + prediction)[label != 255].astype(np.int64)
        total = total + torch.from_numpy(np.bincount(numbers, minlength=classes ** 2))
        yield 100 * ious(total.view(classes, classes)).nanmean().item()


def void_as_background(pairs, classes):
    return streaming(((np.where(label == 255, 0, label), prediction)
                      for label, prediction in pairs), classes)


def with_zeros(pairs, classes):
    total = 0
    for pair in pairs:
        total = total + matrix_of(*pair, classes)
        yield 100 * ious(total).nan_to_num(0).mean().item()


def unmasked(pairs, classes):
    for label, prediction in pairs:
        numbers = label.astype(np.int64) * classes + prediction
        counts = torch.from_numpy(np.bincount(numbers.ravel(), minlength=classes ** 2))
        yield mean_iou(counts.view(classes, classes))


def kept_until_later(pairs, classes):
    seen = []
    for pair in pairs:
        seen.append(pair)
        yield mean_iou(sum(matrix_of(*one, classes) for one in seen))


def test_one_matrix_that_grows_is_correct():
    assert checks.check_streaming_miou(streaming).startswith("Exercise 1.4: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda pairs, classes: list(streaming(pairs, classes)), "Expected a generator"),
    (at_the_end, "4 images were read before score 1"),
    (lambda pairs, classes: iter([1.0]), "must give 4 scores; got 1"),
    (means_of_images, "the mean of the images' own scores"),
    (in_bytes, "does not fit into a byte"),
    (void_as_background, "void pixels"),
    (with_zeros, "you counted it as 0"),
    (lambda pairs, classes: (score / 100 for score in streaming(pairs, classes)), "per cent"),
    (kept_until_later, "Its arrays are used again"),
    (lambda pairs, classes: (mean_iou(matrix_of(*pair, classes)) for pair in pairs),
     "of this image alone"),
    (unmasked, "raised RuntimeError"),
])
def test_wrong_streams_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_streaming_miou(mistake)
    assert "not yet" in verdict and message in verdict
