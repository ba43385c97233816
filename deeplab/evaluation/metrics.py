"""Mean intersection over union, from a confusion matrix that streams over the images.

One matrix counts every pixel of the whole set, and the score is read off at the end; it is
not a mean of per-image scores. A prediction need not be kept once it is counted: matrices
of images, batches or processes are simply added, exactly, because they are integers.
Class scores are fractions in [0, 1]; scores of the whole set are per cent.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deeplab.support.errors import DataError
from deeplab.support.void import IGNORE_INDEX


def confusion_matrix(prediction: Tensor | np.ndarray, label: Tensor | np.ndarray, *,
                     num_classes: int, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """How often each pair (truth, prediction) occurs: int64 (K, K), rows truth.

    `prediction` and `label` have one shape, any shape, and hold integers of any width.
    Pixels labelled `ignore_index` are left out, whatever is predicted there. Raises
    `DataError`: E-SHAPE if the shapes differ, E-LABEL or E-PREDICTION if a pixel that
    counts is not a class in 0..K-1.

    >>> confusion_matrix(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 255]), num_classes=2)
    tensor([[1, 1],
            [0, 0]])
    """
    prediction, label = _tensor(prediction), _tensor(label)
    if prediction.shape != label.shape:
        raise DataError.of("E-SHAPE", "prediction and label are not of one size",
                           found=tuple(prediction.shape), expected=tuple(label.shape),
                           do="resize the prediction to the label, never the label")
    label = _integers(label, "E-LABEL", "label")
    prediction = _integers(prediction, "E-PREDICTION", "prediction")
    counted = label != ignore_index
    truth, predicted = label[counted], prediction[counted]
    _check_classes(truth, num_classes, "E-LABEL", "label", f" and {ignore_index}")
    _check_classes(predicted, num_classes, "E-PREDICTION", "prediction", "")
    pairs = torch.bincount(truth * num_classes + predicted, minlength=num_classes ** 2)
    return pairs.view(num_classes, num_classes)


def class_counts(confusion: Tensor) -> Tensor:
    """Pixels of each class that are hit, of its truth and predicted as it: int64 (3, K)."""
    return torch.stack([confusion.diagonal(), confusion.sum(1), confusion.sum(0)])


def counted_iou(counts: Tensor) -> Tensor:
    """TP / (TP + FP + FN) of each class from `class_counts` (..., 3, K): float64 (..., K).

    NaN where a class is neither in the truth nor predicted: it has no score, not a score of 0.
    """
    hit, truth, predicted = counts.double().unbind(-2)
    return hit / (predicted + truth - hit)


def class_iou(confusion: Tensor) -> Tensor:
    """IoU of each class, float64 (K,) in [0, 1]; NaN where it does not occur."""
    return counted_iou(class_counts(confusion))


def mean_iou(confusion: Tensor) -> float:
    """mIoU in per cent over the classes that occur in truth or prediction; NaN if none does."""
    return 100 * class_iou(confusion).nanmean().item()


def pixel_accuracy(confusion: Tensor) -> float:
    """Pixels labelled right, in per cent of those that count; NaN if none counts."""
    return 100 * (confusion.diagonal().sum().double() / confusion.sum()).item()


@dataclass(frozen=True)
class Evaluation:
    """What one pass over a dataset found."""

    confusion: Tensor  # int64 (K, K), rows truth, columns prediction
    indices: list[int]  # of the images in the dataset, in the order they were scored
    image_counts: Tensor  # int64 (N, 3, K): `class_counts`, image by image
    seconds: float  # wall time of the pass

    @property
    def num_images(self) -> int:
        """Images scored."""
        return len(self.indices)

    @property
    def image_mious(self) -> list[float]:
        """mIoU of each image alone, in per cent; NaN where every pixel is ignored."""
        return (100 * counted_iou(self.image_counts).nanmean(-1)).tolist()

    @property
    def class_iou(self) -> Tensor:
        """IoU of each class over the whole set, float64 (K,) in [0, 1]; NaN if absent."""
        return class_iou(self.confusion)

    @property
    def mean_iou(self) -> float:
        """mIoU in per cent over the whole set: not the mean of `image_mious`."""
        return mean_iou(self.confusion)


def _tensor(values: Tensor | np.ndarray) -> Tensor:
    """`values` as a tensor; a copy of read-only memory, such as a pack's, of which torch warns."""
    if isinstance(values, np.ndarray) and not values.flags.writeable:
        return torch.tensor(values)
    return torch.as_tensor(values)


def _integers(values: Tensor, code: str, name: str) -> Tensor:
    """`values` as int64; floats are refused, since rounding them would invent classes."""
    if values.is_floating_point() or values.is_complex():
        raise DataError.of(code, f"a {name} holds class indices", found=values.dtype,
                           expected="integers", do="take the argmax over the classes first")
    return values.long()


def _check_classes(values: Tensor, num_classes: int, code: str, name: str, also: str) -> None:
    """Refuse any value that is not a class, naming each and its number of pixels."""
    wrong = values[(values < 0) | (values >= num_classes)]
    if len(wrong):
        pairs = zip(*(found.tolist() for found in wrong.unique(return_counts=True)), strict=True)
        raise DataError.of(code, f"value not allowed in a {name}",
                           found=", ".join(f"{value} ({count} pixels)" for value, count in pairs),
                           expected=f"0..{num_classes - 1}{also}",
                           do="check num_classes and how the dataset maps its raw labels")
