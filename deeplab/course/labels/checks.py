"""Checks of lesson 1: raw values to train ids, IoU of each class, mIoU of a set."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from deeplab.course.exercise import exercise, judged
from deeplab.data.catalog import get_dataset
from deeplab.evaluation.metrics import class_iou, mean_iou
from deeplab.support.void import IGNORE_INDEX

CONFUSION = torch.tensor([[50, 3, 0, 2], [5, 20, 0, 0], [0, 0, 0, 0], [1, 4, 0, 10]])
STRANGE = 200  # a raw value that no label map knows
NEAR = 1e-5  # an answer may be worked out in float32


@exercise("1.1", "Raw values were read before any was written.")
def check_to_train_ids(attempt: Callable[[np.ndarray, Mapping[int, int]], np.ndarray]
                       ) -> str | None:
    """Compare `attempt(raw, label_map)` with the label maps of two datasets."""
    for name in ("cityscapes", "ade20k"):
        label_set = get_dataset(name)
        known = sorted(label_set.label_map)
        raw = np.array([*known, STRANGE], np.uint8).reshape(1, -1).repeat(2, 0)
        given, wanted = raw.copy(), label_set.lookup[raw]
        wanted[raw == STRANGE] = IGNORE_INDEX
        got = attempt(given, dict(label_set.label_map))
        if not np.array_equal(given, raw):
            return "Your function changed the raw label it was given. Write into a new array."
        if got is None or np.shape(got) != raw.shape:
            return f"Expected an array of shape {raw.shape}; got {np.shape(got)}."
        if np.asarray(got).dtype != np.uint8:
            return f"Expected uint8, one byte a pixel; got {np.asarray(got).dtype}."
        wrong = np.asarray(got)[0] != wanted[0]
        if wrong.any():
            return _first_wrong(name, raw[0][wrong], np.asarray(got)[0][wrong], wanted[0][wrong])
    return None


def _first_wrong(name: str, raw: np.ndarray, got: np.ndarray, wanted: np.ndarray) -> str:
    """What went wrong with the first of the wrong pixels, and why it may have."""
    text = f"{name}: raw value {raw[0]} must become {wanted[0]}; got {got[0]}."
    if raw[0] == STRANGE:
        return f"{text} The map does not know that value; what is of no class becomes 255."
    if wanted[0] == IGNORE_INDEX and got[0] == raw[0]:
        return f"{text} Values of no class become {IGNORE_INDEX} too."
    if got[0] == IGNORE_INDEX:
        return (f"{text} It was mapped twice: its train id is also a raw value, which a later "
                "step has mapped again. Compare with the raw values, not with what you wrote.")
    return text


@exercise("1.2", "Absent is not zero.")
def check_iou_of_each(attempt: Callable[[Tensor], Sequence[float]]) -> str | None:
    """Compare `attempt(confusion)` with `class_iou`; one class of the matrix is absent."""
    got = attempt(CONFUSION.clone())
    wanted = class_iou(CONFUSION)
    if got is None or len(got) != len(wanted):
        return f"Expected {len(wanted)} numbers, one per class; got {got}."
    got = torch.as_tensor([float(value) for value in got], dtype=torch.float64)
    hit, truth, predicted = CONFUSION.diagonal(), CONFUSION.sum(1), CONFUSION.sum(0)
    absent = torch.where(wanted.isnan(), got, 0)  # whatever is said of the absent class
    return judged(got, wanted, ((answer.nan_to_num() + absent, sentence) for answer, sentence in (
        (wanted, "Class 2 is neither in the truth nor predicted. Its IoU is 0 / 0: NaN, not "
                 f"{got[2].item():g}."),
        (hit / truth, "That divides by the pixels of the class (recall). Pixels wrongly "
                      "given to it must count against it too."),
        (hit / predicted, "That divides by the pixels predicted so (precision). Pixels of the "
                          "class that were missed must count against it too."),
        (hit / (truth + predicted), "The union counts each right pixel once; row plus column "
                                    "counts it twice."),
        (2 * hit / (truth + predicted), "That is the Dice coefficient, which counts the right "
                                        "pixels twice, above and below the line."),
        (100 * wanted, "That is per cent. Give fractions between 0 and 1."))),
        f"Class 0 has {hit[0]} right pixels, {truth[0]} in the truth and {predicted[0]} predicted: "
        f"{wanted[0].item():.4f}; got {got[0].item():.4f}. What is the union?", near=1e-5)


@exercise("1.3", "One matrix for the whole set, and one score from it.")
def check_set_mean_iou(attempt: Callable[[Sequence[Tensor]], float]) -> str | None:
    """Compare `attempt(confusions)` with the mIoU of their sum; two images, one class absent."""
    second = torch.tensor([[30, 0, 0, 0], [2, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    images = [CONFUSION, second]
    got = attempt([image.clone() for image in images])
    if got is None or math.isnan(got):
        return f"Expected one number; got {got}. Are absent classes left out of the mean?"
    wanted = mean_iou(CONFUSION + second)
    with_zeros = 100 * class_iou(CONFUSION + second).nan_to_num(0).mean().item()
    return judged(got, wanted, (
        (wanted / 100, "Per cent, please: 100 times that."),
        (sum(map(mean_iou, images)) / 2, "That is the mean of the images' own scores. Add the "
         "matrices first: a class then has one score, however its pixels are spread."),
        (with_zeros, "A class that never occurs has no score; you counted it as 0.")),
        f"Expected {wanted:.2f} per cent; got {got:.2f}.", near=NEAR)
