"""The checks of lesson 9 pass the right answer and name each usual mistake."""

import math

import pytest

from deeplab.course.gpus import checks


def scaled_step(weight, gradient, scale, lr):
    if not math.isfinite(gradient):
        return weight, scale / 2
    return weight - lr * gradient / scale, scale


def test_an_unscaled_or_skipped_step_is_correct():
    assert checks.check_scaled_step(scaled_step).startswith("Exercise 9.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda weight, gradient, scale, lr: (weight - lr * gradient, scale), "Divide it"),
    (lambda weight, gradient, scale, lr: (weight - lr * gradient * scale, scale), "already"),
    (lambda weight, gradient, scale, lr: scaled_step(weight, -gradient, scale, lr), "uphill"),
    (lambda weight, gradient, scale, lr: (weight - lr * gradient / scale, scale / 2), "stays"),
    (lambda weight, gradient, scale, lr: (weight - lr * gradient / scale, scale), "made the"),
    (lambda weight, gradient, scale, lr: (weight - lr * gradient / scale, scale)
     if math.isnan(gradient) else scaled_step(weight, gradient, scale, lr), "NaN is neither"),
    (lambda weight, gradient, scale, lr: (scaled_step(weight, gradient, scale, lr)[0], scale),
     "Halve it"),
    (lambda weight, gradient, scale, lr: (weight, scale), "expected the weight 0.95"),
    (lambda weight, gradient, scale, lr: weight, "Expected a pair"),
])
def test_a_wrong_step_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_scaled_step(mistake)
    assert "not yet" in verdict and message in verdict


def strides(shape, channels_last):
    _, channels, height, width = shape
    if channels_last:
        return channels * height * width, 1, width * channels, channels
    return channels * height * width, height * width, width, 1


def test_the_strides_of_pytorch_are_correct():
    assert checks.check_strides(strides).startswith("Exercise 9.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda shape, is_last: strides(shape, False), "usual order"),
    (lambda shape, is_last: tuple(4 * step for step in strides(shape, is_last)), "bytes"),
    (lambda shape, is_last: tuple(sorted(strides(shape, is_last), reverse=True)), "wrong places"),
    (lambda shape, is_last: strides((shape[0], shape[1], shape[3], shape[2]), is_last)
     if is_last else strides(shape, False), "not `height`"),
    (lambda shape, is_last: strides(shape, True), "expected (105, 35, 7, 1)"),
    (lambda shape, is_last: strides(shape, is_last)[:3], "Expected four"),
    (lambda shape, is_last: None, "got None"),
])
def test_wrong_strides_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_strides(mistake)
    assert "not yet" in verdict and message in verdict


def synchronised(means, variances):
    mean = means.mean(0)
    return mean, (variances + means**2).mean(0) - mean**2


def test_variance_within_and_between_is_correct():
    assert checks.check_synchronised(synchronised).startswith("Exercise 9.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda means, variances: (means.mean(0), variances.mean(0)), "averaged the variances"),
    (lambda means, variances: (means.mean(0), variances.mean(0) + (means[0] - means[1]) ** 2),
     "too much"),
    (lambda means, variances: (means.mean(0), (variances + means**2).mean(0)), "Subtract"),
    (lambda means, variances: (means.sum(0), variances.mean(0)), "sum of the two means"),
    (lambda means, variances: (means.mean(0), variances.sum(0)), "sum of the variances"),
    (lambda means, variances: (means[1], variances[1]), "second half alone"),
    (lambda means, variances: (means.mean(0), synchronised(means, variances)[1] * 100 / 99),
     "divided by n - 1"),
    (lambda means, variances: (means.mean(0), synchronised(means, variances)[1] ** 0.5),
     "That is the deviation"),
    (lambda means, variances: (means.mean(0), variances[0]), "It has two parts"),
    (lambda means, variances: (means[2], variances[2]), "raised IndexError"),
    (lambda means, variances: (means.mean(), variances.mean()), "Expected two vectors"),
    (lambda means, variances: means.mean(0), "Expected a pair"),
])
def test_wrong_statistics_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_synchronised(mistake)
    assert "not yet" in verdict and message in verdict


def gpus(fixed, per_image, memory, *, usable=0.9, counts=(1, 2, 4, 8, 16)):
    return next(count for count in counts if fixed + per_image * 16 / count <= usable * memory)


def test_the_fewest_gpus_that_divide_the_batch_are_correct():
    assert checks.check_gpus(gpus).startswith("Exercise 9.4: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda *given: gpus(*given, usable=1), "nine tenths"),
    (lambda fixed, each, memory: gpus(0, each, memory), "on every GPU"),
    (lambda fixed, each, memory: next(count for count in (1, 2, 4, 8, 16)
     if (fixed + 16 * each) / count <= 0.9 * memory), "on every GPU"),
    (lambda *given: gpus(*given, counts=range(1, 17)), "evenly"),
    (lambda *given: 1, "expected 2, got 1"),
    (lambda *given: None, "got None"),
])
def test_a_wrong_number_of_gpus_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_gpus(mistake)
    assert "not yet" in verdict and message in verdict
