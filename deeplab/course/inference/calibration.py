"""Confidence of a network's predictions against the share of them that is right, in bins.

A network is calibrated if of all pixels that it names with a probability of 0.8 eight in ten
are right. mIoU only sees the name. The method: Guo et al. 2017, "On Calibration of Modern
Neural Networks".
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from deeplab.data.augment import EvalTransform
from deeplab.evaluation.upsample import upsampled
from deeplab.runs.experiment import Experiment
from deeplab.support.void import IGNORE_INDEX

BINS = 10  # of equal width over confidences from 0 to 1


@dataclass(frozen=True)
class Reliability:
    """Pixels sorted into bins of equal width by confidence; (bins,) each, NaN where empty."""

    count: np.ndarray
    confidence: np.ndarray  # mean in the bin, 0 to 1
    accuracy: np.ndarray  # share of the bin's pixels that are right, 0 to 1

    @property
    def error(self) -> float:
        """Expected calibration error, 0 to 1: mean distance of the two, weighed by pixels."""
        gap = np.abs(self.confidence - self.accuracy)
        return float(np.nansum(self.count * gap) / self.count.sum())


def reliability(confidence: np.ndarray, right: np.ndarray, *, bins: int = BINS) -> Reliability:
    """Sort pixels by `confidence` in [0, 1]; `right` says of each whether it is; both (P,)."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(index, minlength=bins).astype(float)
    with np.errstate(invalid="ignore"):
        return Reliability(count, np.bincount(index, confidence, bins) / count,
                           np.bincount(index, right, bins) / count)


def confidences(experiment: Experiment, model: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """The largest probability of each valid val pixel, and whether its class is right; (P,).

    Logits are upsampled first and then softmaxed, each image as a whole.
    """
    found, right = [], []
    transform = EvalTransform(experiment.config.resize)
    with torch.inference_mode():
        for image, label in (experiment.eval_set[index]
                             for index in range(len(experiment.eval_set))):
            logits = model.eval()(transform(image)[None]).main.float()
            best = upsampled(logits, *label.shape)[0].softmax(0).max(0)
            valid = label != IGNORE_INDEX
            found.append(best.values.numpy()[valid])
            right.append((best.indices.numpy() == label)[valid])
    return np.concatenate(found), np.concatenate(right)
