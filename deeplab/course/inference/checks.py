"""Checks of lesson 10: windows, a mirrored mean, a band along borders, calibration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from deeplab.course.exercise import exercise
from deeplab.course.inference.calibration import reliability
from deeplab.course.inference.trimap import border_band
from deeplab.evaluation.inference import window_slices
from deeplab.support.void import IGNORE_INDEX


@exercise("10.1", "Every pixel is seen, and no window is smaller than the others.")
def check_windows(attempt: Callable[[int, int, int], list[int]]) -> str | None:
    """Compare `attempt(length, window, stride)` with the starts of `window_slices`."""
    for length, window, stride in ((10, 4, 3), (520, 480, 320), (12, 4, 3), (4, 4, 2), (3, 4, 3)):
        got = attempt(length, window, stride)
        wanted = [one.start for one in window_slices(length, window=window, stride=stride)]
        if not isinstance(got, (list, tuple, range)):
            return f"Expected a list of first pixels; got {got!r}."
        got = list(got)
        if got == wanted:
            continue
        case = f"Length {length}, window {window}, stride {stride}: {got}. "
        if any(start < 0 for start in got):
            return case + "A window cannot begin before the image; a short image has one, at 0."
        if not got or max(got) + window < length:
            return case + "The last pixels are never seen. One more window must end with the image."
        if window < length < max(got) + window:
            return case + ("The last window sticks out. Shift it back so that it ends with the "
                           "image.")
        if len(got) != len(set(got)):
            return case + "A window is there twice, and its pixels would count double."
        return case + f"Expected {wanted}."
    return None


@exercise("10.2", "Two views, one opinion.")
def check_flip(attempt: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]) -> str | None:
    """Compare `attempt(predict, image)` with the mean over the image and its mirror image."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, 4, 6, generator=generator)

    def predict(view: Tensor) -> Tensor:  # sees left and right, up and down differently
        ramp = torch.arange(view.shape[-1]) + 10.0 * torch.arange(view.shape[-2])[:, None]
        return torch.cat([view.sum(1, keepdim=True) * ramp, view[:, :1] - ramp], 1)

    got, plain, mirrored = attempt(predict, image.clone()), predict(image), predict(image.flip(-1))
    if not isinstance(got, Tensor) or got.shape != plain.shape:
        return (f"Expected logits of shape {tuple(plain.shape)}, as predict gives them; got "
                f"{tuple(got.shape) if isinstance(got, Tensor) else repr(got)}.")
    for mistake, sentence in (
            (plain, "That is the plain output alone."),
            ((plain + mirrored) / 2, "The second output is still mirrored: turn it back before "
                                     "adding, or left and right are mixed up."),
            (mirrored.flip(-1), "That is the mirrored view alone; average it with the plain one."),
            (plain + mirrored.flip(-1), "That is the sum; the mean is half of it."),
            ((plain + predict(image.flip(-2)).flip(-2)) / 2,
             "You turned the image upside down. The columns are the last axis."),
            ((plain + plain.flip(-1)) / 2, "The network never saw the mirrored image: flip the "
                                           "input as well as the output.")):
        if torch.allclose(got, mistake):
            return sentence
    wanted = (plain + mirrored.flip(-1)) / 2
    return None if torch.allclose(got, wanted) else (
        f"Expected {wanted[0, 0, 0, 0]:.3f} in the first cell, got {got[0, 0, 0, 0]:.3f}.")


@exercise("10.3", "This is a trimap: the pixels where outlines are decided.")
def check_band(attempt: Callable[[np.ndarray, int], np.ndarray]) -> str | None:
    """Compare `attempt(label, width)` with `border_band` on three small labels."""
    step = np.zeros((5, 9), np.uint8)
    step[:, 4:] = 15
    corner = np.zeros((7, 7), np.uint8)
    corner[3, 3] = 2
    void = step.copy()
    void[:, 4] = IGNORE_INDEX
    for name, label in (("Two halves", step), ("A dot", corner), ("Void between", void)):
        for width in (1, 2):
            got, wanted = attempt(label.copy(), width), border_band(label, width)
            if not isinstance(got, np.ndarray) or got.shape != label.shape:
                return "Expected an array of True and False, of the shape of the label."
            if np.array_equal(got.astype(bool), wanted):
                continue
            case = f"{name}, width {width}: "
            if (got.astype(bool) & (label == IGNORE_INDEX)).any():
                return case + "void pixels do not count; take them out at the end."
            if np.array_equal(got.astype(bool), ~wanted):
                return case + "that is everything but the band."
            if np.array_equal(got.astype(bool), border_band(label, width - 1)):
                return case + f"that is a band of {width - 1}."
            if np.array_equal(got.astype(bool), border_band(label, width + 1)):
                return case + f"that is a band of {width + 1}."
            if not (got.astype(bool) & ~wanted).any():
                return (case + f"{int(wanted.sum() - got.sum())} pixels are missing. Look to both "
                        "sides, along rows, columns and diagonals.")
            return (case + f"{int((got.astype(bool) & ~wanted).sum())} pixels are too many. Does "
                    "one edge of the image meet the opposite one?")
    return None


@exercise("10.4", "Zero would mean that its probabilities can be believed.")
def check_calibration_error(attempt: Callable[[np.ndarray, np.ndarray], float]) -> str | None:
    """Compare `attempt(confidence, right)` with `Reliability.error` in ten bins."""
    generator = np.random.default_rng(0)
    confidence = np.concatenate([generator.uniform(0.2, 0.5, 40), generator.uniform(0.9, 1, 160),
                                 [1.0]])
    rate = np.select([confidence < 0.3, confidence < 0.4, confidence < 0.5], [0.8, 0.1, 0.9], 0.8)
    right = generator.random(len(confidence)) < rate
    found = reliability(confidence, right)
    got = attempt(confidence.copy(), right.copy())
    if not isinstance(got, (int, float, np.floating)) or np.isnan(got):
        return f"Expected a number; got {got!r}. Empty bins must be passed over."
    gap = found.confidence - found.accuracy
    for mistake, sentence in (
            (abs(confidence.mean() - right.mean()), "You compared the two means. A network can be "
             "too sure in one bin and too modest in another: sort into bins first."),
            (np.nanmean(np.abs(gap)), "Each bin counted the same; weigh it by its pixels."),
            (abs(np.nansum(found.count * gap) / found.count.sum()), "Gaps of opposite sign "
             "cancelled: take the distance of each bin before adding."),
            (np.abs(confidence - right).mean(), "That compares pixel by pixel; only a share of "
                                                "many pixels can equal a probability."),
            (100 * found.error, "That is per cent; the error is a share, 0 to 1."),
            (1 - right.mean(), "That is the share of wrong pixels.")):
        if np.isclose(got, mistake) and not np.isclose(mistake, found.error):
            return sentence
    return None if np.isclose(got, found.error) else (
        f"Expected {found.error:.4f}, got {got:.4f}. Ten bins: 0 to 0.1, 0.1 to 0.2, and so on; "
        "a confidence of 1 is in the last.")
