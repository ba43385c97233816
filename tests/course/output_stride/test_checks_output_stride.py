"""The checks of lesson 3 pass the right answer and name each usual mistake."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from deeplab.course.output_stride import checks


def plan_by_hand(output_stride):
    return {32: [(1, 1), (2, 1), (2, 1), (2, 1)], 16: [(1, 1), (2, 1), (2, 1), (1, 2)],
            8: [(1, 1), (2, 1), (1, 2), (1, 4)]}[output_stride]


def plan_with_rates(rates_at_8):
    def plan(output_stride):
        if output_stride > 8:
            return plan_by_hand(output_stride)
        return [(stride, rate) for (stride, _), rate in zip(plan_by_hand(8), rates_at_8)]
    return plan


def test_the_plan_by_hand_is_correct():
    assert checks.check_stage_plan(plan_by_hand).startswith("Exercise 3.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda output_stride: plan_by_hand(32), "make 32 pixels per cell"),
    (lambda output_stride: [(1, 1), (2, 1), (1, 2), (2, 2)] if output_stride == 16
     else plan_by_hand(output_stride), "give up the last ones"),
    (plan_with_rates([1, 1, 1, 1]), "all your rates are 1"),
    (plan_with_rates([1, 1, 2, 2]), "Count, for each stage"),
    (plan_with_rates([1, 1, 1, 2]), "Count, for each stage"),
    (lambda output_stride: plan_by_hand(output_stride)[2:], "four pairs"),
    (lambda output_stride: None, "four pairs"),
])
def test_a_wrong_plan_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_stage_plan(mistake)
    assert "not yet" in verdict and message in verdict


def interleaved(x, kernel, order=lambda row, column: (row, column)):
    result = torch.zeros_like(x)
    for row in (0, 1):
        for column in (0, 1):
            target = order(row, column)
            if result[..., target[0]::2, target[1]::2].shape != x[..., row::2, column::2].shape:
                target = row, column
            result[..., target[0]::2, target[1]::2] = F.conv2d(x[..., row::2, column::2], kernel,
                                                               padding=1)
    return result


def only_one_phase(x, kernel):
    result = torch.zeros_like(x)
    result[..., ::2, ::2] = F.conv2d(x[..., ::2, ::2], kernel, padding=1)
    return result


def test_interleaving_four_phases_is_correct():
    assert "correct" in checks.check_rate_2(interleaved)


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda x, kernel: F.conv2d(x, kernel, padding=1), "That is rate 1"),
    (lambda x, kernel: F.conv2d(x[..., ::2, ::2], kernel, padding=1), "keep its size"),
    (lambda x, kernel: F.conv2d(x, kernel, padding=2, dilation=2), "asks PyTorch for rate 2"),
    (lambda x, kernel: F.unfold(x, 3, padding=2, dilation=2), "asks PyTorch for rate 2"),
    (only_one_phase, "[(0, 0)] came out right"),
    (lambda x, kernel: interleaved(x, kernel, lambda row, column: (column, row)),
     "[(0, 0), (1, 1)] came out right"),
])
def test_a_wrong_rate_2_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_rate_2(mistake)
    assert "not yet" in verdict and message in verdict


def share_kept(label, output_stride, start=None, void=255):
    start = output_stride // 2 if start is None else start
    right = counted = 0
    for y in range(label.shape[0]):
        for x in range(label.shape[1]):
            kept = label[y // output_stride * output_stride + start,
                         x // output_stride * output_stride + start]
            counted += label[y, x] != void
            right += label[y, x] != void and label[y, x] == kept
    return right / counted


def test_the_share_counted_pixel_by_pixel_is_correct():
    assert "correct" in checks.check_share_kept(share_kept)


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda label, stride: 100 * share_kept(label, stride), "not per cent"),
    (lambda label, stride: share_kept(label, stride, start=0), "top left corner"),
    (lambda label, stride: share_kept(label, stride, start=stride - 1), "bottom right corner"),
    (lambda label, stride: 1 - share_kept(label, stride), "the share that is lost"),
    (lambda label, stride: label[stride * 99, 0], "raised IndexError"),
    (lambda label, stride: share_kept(label, stride, void=-1), "void (255) is counted"),
    (lambda label, stride: share_kept(label, stride) * np.mean(label != 255), "not by all"),
    (lambda label, stride: label[::stride, ::stride], "one number"),
    (lambda label, stride: 0.5, "expected 1.000"),
])
def test_a_wrong_share_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_share_kept(mistake)
    assert "not yet" in verdict and message in verdict


def dense(network, *, first=(1, 2), later=(2, 4), shortcut=True, padded=True):
    """A ResNet-18 at output stride 8; `first` rates of each stage's first convolution."""
    for stage, start, rate in zip((network.layer3, network.layer4), first, later):
        for block in stage:
            for layer in (block.conv1, block.conv2):
                layer.stride, layer.dilation = (1, 1), (rate, rate)
                layer.padding = (rate, rate) if padded else layer.padding
        stage[0].conv1.dilation = (start, start)
        if padded:
            stage[0].conv1.padding = (start, start)
        if shortcut:
            stage[0].downsample[0].stride = (1, 1)
    return network


def in_training_weights(network):
    torch.nn.init.ones_(network.fc.weight)
    return dense(network)


def test_a_resnet_18_that_keeps_its_taps_is_correct():
    assert checks.check_stride_8(dense).startswith("Exercise 3.4: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda network: network, "layer3 has the cells of the untouched network"),
    (lambda network: dense(network, first=(1, 1), later=(1, 1)), "the naive cure"),
    (lambda network: dense(network, first=(2, 4)), "keeps the rate of the stage before"),
    (lambda network: dense(network, later=(2, 2)), "layer4 has rates [2, 2, 2, 2]"),
    (lambda network: dense(network, shortcut=False), "cannot add its two ways"),
    (lambda network: dense(network, padded=False), "the padding must equal the rate"),
    (lambda network: [dense(network)], "Does your function return it"),
    (in_training_weights, "The weights have changed"),
    (lambda network: dense(network.layer9), "raised AttributeError"),
])
def test_a_wrong_resnet_18_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_stride_8(mistake)
    assert "not yet" in verdict and message in verdict
