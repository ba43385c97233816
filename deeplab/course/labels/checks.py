"""Checks of lesson 1: raw values to train ids, IoU of each class, mIoU of a set and of a stream."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from deeplab.course.exercise import exercise, judged
from deeplab.data.catalog import get_dataset
from deeplab.evaluation.metrics import class_iou, mean_iou, pixel_accuracy
from deeplab.support.void import IGNORE_INDEX

CONFUSION = torch.tensor([[50, 3, 0, 2], [5, 20, 0, 0], [0, 0, 0, 0], [1, 4, 0, 10]])
STRANGE = 200  # a raw value that no label map knows
STREAM_CLASSES = 21  # with 20 · 21 + 20, more pairs than a byte can number
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
        if not isinstance(got, np.ndarray) or got.shape != raw.shape:
            return (f"Expected a numpy array of shape {raw.shape}; got {type(got).__name__} of "
                    f"shape {np.shape(got)}.")
        if got.dtype != np.uint8:
            return f"Expected uint8, one byte a pixel; got {got.dtype}."
        wrong = got[0] != wanted[0]
        if wrong.any():
            return _first_wrong(name, raw[0][wrong], got[0][wrong], wanted[0][wrong])
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
    occurring = ", ".join(f"{100 * one:.1f}" for one in class_iou(CONFUSION + second)
                          if not one.isnan())
    with_zeros = 100 * class_iou(CONFUSION + second).nan_to_num(0).mean().item()
    return judged(got, wanted, (
        (wanted / 100, "Per cent, please: 100 times that."),
        (sum(map(mean_iou, images)) / 2, "That is the mean of the images' own scores. Add the "
         "matrices first: a class then has one score, however its pixels are spread."),
        (pixel_accuracy(CONFUSION + second), "That is the share of pixels that are right. Each "
         "class has an IoU, and the mean of these is asked for."),
        (with_zeros, "A class that never occurs has no score; you counted it as 0.")),
        f"The IoU of the three classes that occur are {occurring} in the sum of the matrices, in "
        f"per cent; got {got:.2f}.", near=NEAR)


@exercise("1.4", "One matrix, a few thousand numbers, however many images go by.")
def check_streaming_miou(attempt: Callable[[Iterable[tuple[np.ndarray, np.ndarray]], int],
                                           Iterator[float]]) -> Iterator[str | None]:
    """Feed images one by one to `attempt(pairs, num_classes)` and look at each score it gives.

    Pairs (label, prediction) have several sizes, one is all void, and the arrays of a pair are
    overwritten when the next is asked for, as a loader that saves memory does.
    """
    images = _images()
    wanted = _running(images)
    taken: list[int] = []
    scores = attempt(_lent(images, taken), STREAM_CLASSES)
    if not isinstance(scores, Iterator):
        yield ("Expected a generator: a function that says `yield` once for each image; got "
               f"{type(scores).__name__}.")
    got = []
    for score in scores:
        got.append(score)
        if len(taken) > len(got):
            yield (f"{len(taken)} images were read before score {len(got)} was given. A stream "
                   "may never end: give a score after each image.")
    if len(got) != len(images):
        yield f"{len(images)} images must give {len(images)} scores; got {len(got)}."
    everything = [_running(images, **mistake) for mistake in (
        {"counts_void": True}, {"width": np.uint8}, {"is_mean": True}, {"zeros": True})]
    for number, (one, right) in enumerate(zip(got, wanted, strict=True)):
        mistakes = [(values[number], sentence) for values, sentence in zip(everything, (
            "void pixels (label 255) are counted. Leave them out, whatever is predicted there.",
            "21 * 20 + 20 does not fit into a byte, and labels are bytes. Turn them into int64 "
            "before you number the pairs.",
            "that is the mean of the images' own scores. Add to one matrix and score that.",
            "a class that has not occurred yet has no score; you counted it as 0."), strict=True)]
        if not math.isnan(right):
            mistakes.append((right / 100, "per cent, please: 100 times that."))
            mistakes.append((_running(images[number:number + 1])[0], "that is the score of this "
                             "image alone: keep the counts of those before."))
        yield judged(one, right, mistakes, f"expected {right:.3f}, got {one:.3f}. Is every image "
                     "counted before the next is asked for? Its arrays are used again.",
                     case=f"After image {number + 1}: ", near=NEAR)


def _images() -> list[tuple[np.ndarray, np.ndarray]]:
    """Labels and predictions of several sizes, uint8; the first is all void."""
    rng = np.random.default_rng(0)
    images = [(np.full((3, 4), IGNORE_INDEX, np.uint8), np.zeros((3, 4), np.uint8))]
    for shape, classes in (((8, 6), (0, 3, 20)), ((5, 9), (0, 15)), ((8, 6), (3, 19, 20))):
        label = rng.choice(np.array(classes, np.uint8), shape)
        prediction = np.where(rng.random(shape) < 0.7, label, rng.choice((0, 7, 20), shape))
        label[rng.random(shape) < 0.2] = IGNORE_INDEX
        images.append((label, prediction.astype(np.uint8)))
    return images


def _lent(images: Sequence[tuple[np.ndarray, np.ndarray]], taken: list[int]
          ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The pairs one by one, noted in `taken`; each is overwritten before the next is given."""
    for number, pair in enumerate(images):
        taken.append(number)
        label, prediction = (values.copy() for values in pair)
        yield label, prediction
        label[:], prediction[:] = 1, 2


def _running(images: Sequence[tuple[np.ndarray, np.ndarray]], *, counts_void: bool = False,
             width: type = np.int64, is_mean: bool = False, zeros: bool = False) -> list[float]:
    """The score after each image, in per cent: the right one, or with one usual mistake."""
    total, own, scores = torch.zeros(STREAM_CLASSES, STREAM_CLASSES, dtype=torch.int64), [], []
    for label, prediction in images:
        truth = np.where(label == IGNORE_INDEX, 0, label) if counts_void else label
        pairs = truth.astype(width) * width(STREAM_CLASSES) + prediction
        counted = pairs[truth != IGNORE_INDEX].astype(np.int64)
        one = torch.from_numpy(np.bincount(counted, minlength=STREAM_CLASSES ** 2)[
            :STREAM_CLASSES ** 2]).view_as(total)
        total = total + one
        own.append(mean_iou(one))
        score = 100 * class_iou(total).nan_to_num(0).mean().item() if zeros else mean_iou(total)
        scores.append(float(np.nanmean(own)) if is_mean and not np.isnan(own).all() else score)
    return scores
