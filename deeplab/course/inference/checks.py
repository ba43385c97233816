"""Checks of lesson 10: windows, a mirrored mean, a band along borders, calibration.

And of its workshop: several looks at an image.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deeplab.course.exercise import exercise, is_near, judged
from deeplab.course.inference import looks
from deeplab.course.inference.calibration import reliability
from deeplab.course.inference.trimap import border_band, wrong_bands
from deeplab.course.quick import demo_experiment, trained_demo_model
from deeplab.data.augment import EvalTransform
from deeplab.evaluation.inference import Inference, predict, window_slices
from deeplab.support.void import IGNORE_INDEX

ROW, STEPS, IMAGE = "voc_r50_d16", 340, 2  # a trained network and a drawn image to end with
AT_ONE = 6  # pixels with a confidence of exactly 1


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
                f"{tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__}.")
    wanted = (plain + mirrored.flip(-1)) / 2
    return judged(got, wanted, (
        (plain, "That is the plain output alone."),
        ((plain + mirrored) / 2, "The second output is still mirrored: turn it back before "
                                 "adding, or left and right are mixed up."),
        (mirrored.flip(-1), "That is the mirrored view alone; average it with the plain one."),
        (plain + mirrored.flip(-1), "That is the sum; the mean is half of it."),
        ((plain.softmax(1) + mirrored.flip(-1).softmax(1)) / 2, "You averaged probabilities; "
         "here the mean is one of logits."),
        ((plain + predict(image.flip(-2)).flip(-2)) / 2,
         "You turned the image upside down. The columns are the last axis."),
        ((plain + plain.flip(-1)) / 2, "The network never saw the mirrored image: flip the "
                                       "input as well as the output."),
        (torch.maximum(plain, mirrored.flip(-1)), "That is the larger of the two views; the mean "
                                                  "is asked for."),
        ((plain + mirrored.flip(-1).flip(-2)) / 2, "Rows were turned round as well; a mirror "
                                                   "image changes the columns only.")),
        f"Expected {wanted[0, 0, 0, 0]:.3f} in the first cell, got {got[0, 0, 0, 0]:.3f}. Three "
        "steps: mirror the image, predict both, turn the second answer back; then the mean.",
        near=1e-5)


@exercise("10.3", "This is a trimap: the pixels where outlines are decided.")
def check_band(attempt: Callable[[np.ndarray, int], np.ndarray]) -> Iterator[str | None]:
    """Compare `attempt(label, width)` with `border_band` on three small labels."""
    step = np.zeros((5, 9), np.uint8)
    step[:, 4:] = 15
    corner = np.zeros((7, 7), np.uint8)
    corner[3, 3] = 2
    void = step.copy()
    void[:, 4] = IGNORE_INDEX
    labels = {"Two halves": step, "A dot": corner, "Void between": void}
    for (name, label), width in itertools.product(labels.items(), (1, 2)):
        got, wanted = attempt(label.copy(), width), border_band(label, width)
        if not isinstance(got, np.ndarray) or got.shape != label.shape:
            yield "Expected an array of True and False, of the shape of the label."
        if label.any() and np.array_equal(got, np.where(border_band(label, width), label, 0)):
            yield "Give True where a pixel is in the band and False elsewhere, not its class."
        got = got.astype(bool)
        case, surplus = f"{name}, width {width}: ", int((got & ~wanted).sum())
        if (got & (label == IGNORE_INDEX)).any():
            yield case + "void pixels do not count; take them out at the end."
        yield judged(got, wanted, (
            (~wanted, "that is everything but the band."),
            *wrong_bands(label, width)),
            f"{surplus} pixels are too many: near them no pixel has another value."
            if surplus else f"{int(wanted.sum() - got.sum())} pixels are missing. Look to both "
            "sides, along rows, columns and diagonals.", case=case)


@exercise("10.4", "Zero would mean that its probabilities can be believed.")
def check_calibration_error(attempt: Callable[[np.ndarray, np.ndarray], float]) -> str | None:
    """Compare `attempt(confidence, right)` with `Reliability.error` in ten bins."""
    generator = np.random.default_rng(0)
    confidence = np.concatenate([generator.uniform(0.2, 0.5, 40), generator.uniform(0.9, 1, 160),
                                 np.ones(AT_ONE)])
    rate = np.select([confidence < 0.3, confidence < 0.4, confidence < 0.5], [0.8, 0.1, 0.9], 0.8)
    right = generator.random(len(confidence)) < rate
    right[-AT_ONE:] = False  # to lose these pixels must change the answer
    below = reliability(confidence[:-AT_ONE], right[:-AT_ONE]).error
    found = reliability(confidence, right)
    got = attempt(confidence.copy(), right.copy())
    if np.ndim(got):
        return ("Expected one number; got one for each bin. Add up their distances, weighed by "
                "their pixels.")
    if not isinstance(got, (int, float, np.floating)) or np.isnan(got):
        return f"Expected a number; got {got!r}. Empty bins must be passed over."
    gap = found.confidence - found.accuracy
    return judged(got, found.error, (
        (abs(confidence.mean() - right.mean()), "You compared the two means. A network can be "
         "too sure in one bin and too modest in another: sort into bins first."),
        (np.nanmean(np.abs(gap)), "Each bin counted the same; weigh it by its pixels."),
        (abs(np.nansum(found.count * gap) / found.count.sum()), "Gaps of opposite sign "
         "cancelled: take the distance of each bin before adding."),
        (np.abs(confidence - right).mean(), "That compares pixel by pixel; only a share of "
                                            "many pixels can equal a probability."),
        *((answer, "Pixels with a confidence of exactly 1 got lost: they belong to the last bin.")
          for answer in (below, below * (1 - AT_ONE / len(right)))),
        (100 * found.error, "That is per cent; the error is a share, 0 to 1."),
        (np.square(confidence - right).mean(), "That is the Brier score, which also counts how "
                                               "well right and wrong pixels are told apart."),
        (1 - right.mean(), "That is the share of wrong pixels.")),
        f"Expected {found.error:.4f}, got {got:.4f}. Ten bins: 0 to 0.1, 0.1 to 0.2, and so on; "
        "a confidence of 1 is in the last.", near=1e-5)


@exercise("10.5", "What the package does in one line you could have written yourself.")
def check_looks(attempt: Callable[..., Tensor]) -> Iterator[str | None]:
    """Compare `attempt(model, image, height, width, scales, flip)` with the package's looks.

    First on a small network, then class by class on a trained one and a drawn image.
    """
    model, view = looks.SmallNetwork().eval(), looks.view()
    for scales, flip in (((1.0,), False), (looks.SCALES, False), (looks.SCALES, True)):
        with torch.no_grad():
            got = attempt(model, view.clone(), *looks.SIZE, scales, flip)
            yield _shape_mistake(got, (1, 5, *looks.SIZE))
            good = partial(looks.several_looks, model, view, scales=scales, flip=flip)
            if is_near(got, good(of_size=looks.VIEW).mean(0, keepdim=True), 1e-4):
                continue  # rounded sizes serve as well as factors
            yield judged(got, good().mean(0, keepdim=True), looks.mistakes(good, flip),
                         "these are not the mean logits. One look at a time: scale the image, "
                         "predict, turn a mirrored answer back, upsample to (height, width).",
                         case=f"Scales {scales}, flip={flip}: ", near=1e-4)
    experiment = demo_experiment(ROW)
    trained, (pixels, label) = trained_demo_model(ROW, steps=STEPS), experiment.eval_set[IMAGE]
    image = EvalTransform(experiment.config.resize)(pixels)
    wanted = predict(trained, image, height=label.shape[0], width=label.shape[1],
                     inference=Inference(scales=(0.75, 1.0), flip=True))
    with torch.no_grad():
        got = attempt(trained, image[None], *label.shape, (0.75, 1.0), True)
    yield _shape_mistake(got, (1, experiment.config.label_set.num_classes, *label.shape))
    same = (got.argmax(1)[0].numpy() == wanted).mean()
    if same < 0.99:
        yield (f"A trained network: {same:.1%} of the pixels get the class that `predict` gives. "
               "Are the views of its sizes? `scale_factor` rounds down.")


def _shape_mistake(got: Any, shape: tuple[int, ...]) -> str | None:
    """What is wrong with the shape of mean logits."""
    if not isinstance(got, Tensor):
        return f"Expected a tensor of logits {shape}; got {type(got).__name__}."
    if got.shape == shape:
        return None
    if got.shape[-2:] == shape[-2:] and got.dim() < len(shape):
        return f"Expected mean logits {shape}, not classes; got {tuple(got.shape)}."
    if got.shape[-2:] == looks.VIEW:
        return (f"Expected {shape}; got {tuple(got.shape)}, the size of what the network sees. "
                "The prediction is compared with a label of (height, width).")
    return f"Expected {shape}; got {tuple(got.shape)}."
