"""The checks of lesson 8 pass the right answer and name each usual mistake."""

import pytest
import torch
import torch.nn.functional as F

from deeplab.course.training import checks


def poly(step, base_lr, total_steps, *, power=0.9, clamp=True):
    left = 1 - step / total_steps
    left = max(0.0, left) if clamp else left
    return 0.99 * base_lr * left ** power + 0.01 * base_lr


def test_the_squeezed_curve_is_correct():
    assert checks.check_poly(poly).startswith("Exercise 8.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda step, base, total: base * max(0.0, 1 - step / total) ** 0.9, "ends at 0"),
    (lambda *given: poly(*given, power=1), "a straight line"),
    (lambda step, base, total: base * max(0.0, 1 - step / total) ** 0.9 + 0.01 * base,
     "begins above base_lr"),
    (lambda step, base, total: max(0.01 * base, base * max(0.0, 1 - step / total) ** 0.9),
     "cuts the paper's curve off"),
    (lambda *given: poly(*given, clamp=False), "complex"),
    (lambda step, base, total: poly(step, base, total - 1), "divided by total_steps - 1"),
    (lambda *given: poly(*given, power=0.5), "expected 0.000338"),
    (lambda *given: None, "got None"),
])
def test_a_wrong_schedule_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_poly(mistake)
    assert "not yet" in verdict and message in verdict


def mean_loss(logits, label):
    total = F.cross_entropy(logits, label, ignore_index=255, reduction="sum")
    return total / (label != 255).sum().clamp_min(1)


def each_image(logits, label):
    return torch.stack([mean_loss(one[None], target[None])
                        for one, target in zip(logits, label, strict=True)])


@pytest.mark.filterwarnings("error")
def test_the_mean_over_valid_pixels_is_correct():
    assert checks.check_mean_loss(mean_loss).startswith("Exercise 8.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda logits, label: mean_loss(logits, label) * (label != 255).float().mean(), "all pixels"),
    (lambda logits, label: mean_loss(logits, label) * (label != 255).sum(), "That is the sum"),
    (lambda logits, label: each_image(logits, label).mean(), "images' means"),
    (lambda logits, label: F.cross_entropy(logits, label % 255), "as class 0"),
    (lambda logits, label: F.cross_entropy(logits, label, ignore_index=255), "0 / 0"),
    (lambda logits, label: 2 * mean_loss(logits, label), "Expected"),
    (each_image, "Expected one number"),
    (lambda logits, label: mean_loss(logits, label).item(), "left PyTorch's graph"),
    (lambda logits, label: mean_loss(logits.detach(), label), "left PyTorch's graph"),
    (lambda logits, label: F.cross_entropy(logits, label, reduction="sum"), "raised IndexError"),
    (lambda logits, label: None, "got None"),
])
def test_a_wrong_loss_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_mean_loss(mistake)
    assert "not yet" in verdict and message in verdict


def running(mean, var, x, *, momentum=0.1, correction=1, dims=(0, 2, 3)):
    return ((1 - momentum) * mean + momentum * x.mean(dims),
            (1 - momentum) * var + momentum * x.var(dims, correction=correction))


def test_a_tenth_of_the_batch_is_correct():
    assert checks.check_running(running).startswith("Exercise 8.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda *given: running(*given, momentum=0.9), "nine tenths"),
    (lambda *given: running(*given, momentum=1), "this batch alone"),
    (lambda *given: running(*given, correction=0), "divided by n - 1"),
    (lambda *given: running(*given, dims=(2, 3)), "Expected a pair"),
    (lambda mean, var, x: running(mean, var, x[:1]), "Channel 0"),
    (lambda *given: running(*given)[0], "Expected a pair"),
])
def test_wrong_statistics_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_running(mistake)
    assert "not yet" in verdict and message in verdict
