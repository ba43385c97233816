"""Checks of lesson 8: a loss with void, the poly schedule, running statistics."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab.course.exercise import exercise
from deeplab.support.void import IGNORE_INDEX
from deeplab.training.recipe import poly_lr

MOMENTUM = 0.1  # PyTorch's: the weight of the new value


@exercise("8.2", "High for long, and a soft landing.")
def check_poly(attempt: Callable[[int, float, int], float]) -> str | None:
    """Compare `attempt(step, base_lr, total_steps)` with `poly_lr`."""
    base_lr, total = 0.02, 1000
    for step in (0, 999, 500, 1500):  # near the end the usual mistakes differ most
        got = attempt(step, base_lr, total)
        wanted = poly_lr(step, base_lr=base_lr, total_steps=total)
        if isinstance(got, complex):
            return ("Past the end 1 - step / total_steps is negative, and its 0.9th power a "
                    "complex number. Let it be 0 there.")
        if not isinstance(got, (int, float)):
            return f"Expected a learning rate; got {got!r}."
        if abs(got - wanted) < 1e-9:
            continue
        left = max(0.0, 1 - step / total)
        case = f"Step {step} of {total} from {base_lr}: "
        for mistake, sentence in (
                (base_lr * left ** 0.9, "that ends at 0, as in the paper. Here the curve runs from "
                                        "base_lr down to 1 % of it."),
                (base_lr * (0.99 * left + 0.01), "that is a straight line; the power is 0.9."),
                (base_lr * left ** 0.9 + 0.01 * base_lr, "that begins above base_lr: the curve has "
                 "only 99 % of it left to fall."),
                (max(0.01 * base_lr, base_lr * left ** 0.9), "that cuts the paper's curve off at "
                 "1 %; here the whole curve is squeezed to end there.")):
            if abs(got - mistake) < 1e-9:
                return case + sentence
        return f"{case}expected {wanted:.6f}, got {got:.6f}."
    return None


@exercise("8.1", "Every pixel that counts weighs the same, whichever image it is in.")
def check_mean_loss(attempt: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    """Compare `attempt(logits, label)` with the mean over valid pixels; then all of it void."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 4, 5, 6, generator=generator)
    label = torch.randint(0, 4, (2, 5, 6), generator=generator)
    label[0, 1:], label[1, 0, :2] = IGNORE_INDEX, IGNORE_INDEX
    each = F.cross_entropy(logits, label, ignore_index=IGNORE_INDEX, reduction="none")
    counted = label != IGNORE_INDEX
    got, wanted = attempt(logits.clone(), label.clone()), each[counted].mean()
    if got is None or torch.as_tensor(got).numel() != 1:
        return f"Expected one number; got {got if got is None else torch.as_tensor(got).shape}."
    for mistake, sentence in (
            (each.mean(), "You divided by all pixels. Void pixels add nothing above the line and "
                          "must not count below it."),
            (each.sum(), "That is the sum; divide it by the number of pixels that count."),
            (torch.stack([one[where].mean() for one, where in zip(each, counted, strict=True)])
             .mean(), "That is the mean of the images' means. The first image is mostly void; its "
                      "few pixels would weigh more than those of the second."),
            (F.cross_entropy(logits, torch.where(counted, label, 0)), "Void went in as class 0: "
             "the network would be taught that borders are background.")):
        if torch.allclose(torch.as_tensor(got), mistake, atol=1e-6):
            return sentence
    if not torch.allclose(torch.as_tensor(got), wanted, atol=1e-5):
        return f"Expected {wanted.item():.4f}, got {float(got):.4f}."
    empty = attempt(logits.clone(), torch.full_like(label, IGNORE_INDEX))
    return None if float(empty) == 0 else (
        f"A batch that is all void gives {float(empty)}: that is 0 / 0, and one such step turns "
        "every weight into NaN. Let it be 0.")


@exercise("8.3", "That is all there is to eval mode: these two replace the batch's own.")
def check_running(attempt: Callable[..., tuple[Tensor, Tensor]]) -> str | None:
    """Compare `attempt(mean, var, x)` with what `torch.nn.BatchNorm2d` keeps after one batch."""
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.randn(2, 3, 4, 5, generator=generator) + torch.tensor([1.0, -2, 5])[:, None, None]
    mean, var = torch.tensor([0.5, 0.0, -1.0]), torch.tensor([1.0, 2.0, 3.0])
    norm = torch.nn.BatchNorm2d(3)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
    norm(x)
    got = attempt(mean.clone(), var.clone(), x.clone())
    if not isinstance(got, tuple) or [tuple(part.shape) for part in got] != [(3,), (3,)]:
        return "Expected a pair of vectors (3,), the new mean and the new variance."
    for kind, value, wanted, old, new in (
            ("mean", got[0], norm.running_mean, mean, x.mean((0, 2, 3))),
            ("variance", got[1], norm.running_var, var, x.var((0, 2, 3)))):
        if torch.allclose(value, wanted, atol=1e-5):
            continue
        if torch.allclose(value, MOMENTUM * old + (1 - MOMENTUM) * new, atol=1e-5):
            return (f"The {kind} moved nine tenths of the way. PyTorch's momentum is the weight of "
                    "the new value; other libraries call 1 - 0.1 the decay.")
        if torch.allclose(value, new, atol=1e-5):
            return f"That is the {kind} of this batch alone; the old value keeps 90 %."
        biased = (1 - MOMENTUM) * old + MOMENTUM * x.var((0, 2, 3), correction=0)
        if kind == "variance" and torch.allclose(value, biased, atol=1e-5):
            return ("The batch is normalised with the plain variance, but the one that is kept is "
                    "divided by n - 1: torch.var's default.")
        return (f"Channel 0: expected {kind} {wanted[0]:.4f}, got {value[0]:.4f}. Each channel has "
                "one, over all images, rows and columns.")
    return None
