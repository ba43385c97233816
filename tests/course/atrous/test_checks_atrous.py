"""The checks of lesson 2 pass the right answer and name each usual mistake."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from deeplab.course.atrous import checks
from deeplab.model.atrous import atrous_conv1d


def test_half_the_view_is_the_right_padding():
    verdict = checks.check_same_padding(lambda size, rate: (size - 1) * rate // 2)
    assert verdict.startswith("Exercise 2.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda size, rate: size // 2, "gives 10 outputs"),
    (lambda size, rate: rate, "kernel size 5, rate 2"),
    (lambda size, rate: (size - 1) * rate, "both sides together"),
    (lambda size, rate: size // 2 * rate + 1, "With 7 zeros on either side"),
    (lambda size, rate: (size - 1) * rate / 2, "whole number"),
    (lambda size, rate: (size - 1) * rate / 2 + 0.5, "whole number"),
])
def test_wrong_paddings_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_same_padding(mistake)
    assert "not yet" in verdict and message in verdict


def looped(x, w, rate):
    count = len(x) - rate * (len(w) - 1)
    return torch.stack([sum(x[i + rate * k] * w[k] for k in range(len(w)))
                        for i in range(count)])


def test_eq_1_as_a_loop_is_correct():
    assert checks.check_atrous(looped).startswith("Exercise 2.2: correct.")


def padded(x, w, rate):
    return looped(torch.nn.functional.pad(x, (rate, rate)), w, rate)


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda x, w, rate: looped(x, w.flip(0), rate), "backwards"),
    (lambda x, w, rate: looped(x, w, 1), "17 outputs|19 outputs|21 outputs"),
    (padded, "23 outputs, expected 21"),
    (lambda x, w, rate: looped(x, w, rate) * rate, "right length, wrong values"),
    (lambda x, w, rate: looped(x, w, rate)[None], "one axis"),
    (lambda x, w, rate: F.conv1d(x[None], w[None, None], dilation=rate)[0], "written, not called"),
    (lambda x, w, rate: atrous_conv1d(x, w, rate), "written, not called"),
    (lambda x, w, rate: x[len(x)] * w, "raised IndexError"),
])
def test_wrong_convolutions_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_atrous(mistake)
    assert "not yet" in verdict and any(part in verdict for part in message.split("|"))


def with_holes(w, rate):
    spread = torch.zeros((len(w) - 1) * rate + 1)
    spread[::rate] = w
    return spread


def test_zeros_between_the_weights_are_correct():
    assert checks.check_with_holes(with_holes).startswith("Exercise 2.3: correct.")


def trailing(w, rate):
    spread = torch.zeros(len(w) * rate)
    spread[::rate] = w
    return spread


@pytest.mark.parametrize(("mistake", "message"), [
    (trailing, "after the last weight"),
    (lambda w, rate: with_holes(w, rate + 1), "so 0 zeros"),
    (lambda w, rate: w.repeat_interleave(rate), "each weight stands 2 times"),
    (lambda w, rate: -with_holes(w, rate), "expected [1.0, 2.0, 3.0]"),
    (lambda w, rate: with_holes(w, rate).tolist(), "a tensor"),
])
def test_wrong_kernels_with_holes_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_with_holes(mistake)
    assert "not yet" in verdict and message in verdict


def rate_for(pixels, output_stride):
    cells = -(-pixels // output_stride)
    return max(1, cells // 2)


def test_the_smallest_rate_that_spans_is_correct():
    assert checks.check_rate_for(rate_for).startswith("Exercise 2.4: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda pixels, stride: rate_for(pixels, 1), "How wide is a cell"),
    (lambda pixels, stride: (pixels // stride - 1) // 2, "spans 208 pixels, which is too few"),
    (lambda pixels, stride: rate_for(pixels, stride) + 1, "a smaller rate is too"),
    (lambda pixels, stride: -(-pixels // stride) // 2, "the smallest rate there is"),
    (lambda pixels, stride: pixels / stride, "a whole number"),
])
def test_wrong_rates_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_rate_for(mistake)
    assert "not yet" in verdict and message in verdict


def seen_cells(network, size, tries=30, of=None, dtype=torch.bool):
    generator = torch.Generator().manual_seed(1)
    total = torch.zeros(size, size)
    for _ in range(tries):
        x = torch.randn(1, 1, size, size, generator=generator).requires_grad_()
        out = network(x)[0, 0]
        (out.sum() if of == "all" else out[size // 2, size // 2]).backward()
        total += x.grad[0, 0].abs()
    return (total > 0).to(dtype)


def changed_outputs(network, size):
    """Where an impulse in the middle is felt, over many inputs."""
    felt = torch.zeros(size, size, dtype=torch.bool)
    for seed in range(30):
        x = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(seed))
        other = x.clone()
        other[..., size // 2, size // 2] += 3
        felt |= (network(x) != network(other))[0, 0].detach()
    return felt


def box_of(network, size):
    seen = seen_cells(network, size)
    rows, columns = (seen.any(axis).nonzero().flatten() for axis in (1, 0))
    box = torch.zeros_like(seen)
    box[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1] = True
    return box


def at_zero(network, size):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    network(x)[0, 0, size // 2, size // 2].backward()
    return x.grad[0, 0] != 0


def at_one(network, size, value):
    """One input: the same value everywhere, or random ones from 0 to 1."""
    x = torch.rand(1, 1, size, size) if value is None else torch.full((1, 1, size, size), value)
    x = x.float().requires_grad_()
    network(x)[0, 0, size // 2, size // 2].backward()
    return x.grad[0, 0] != 0


def one_cell_at_a_time(network, size):
    seen = torch.zeros(size, size, dtype=torch.bool)
    for seed in range(8):
        x = 2 * torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(seed))
        many = x.repeat(size * size, 1, 1, 1)
        many.view(size * size, -1).diagonal().add_(5)
        middle = slice(size // 2, size // 2 + 1)
        change = (network(many) - network(x))[..., middle, middle]
        seen |= change.abs().view(size, size) > 1e-5
    return seen


@pytest.mark.parametrize("answer", [seen_cells, one_cell_at_a_time])
def test_a_probe_of_the_middle_output_is_correct(answer):
    assert checks.check_seen_cells(answer).startswith("Exercise 2.5: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda network, size: seen_cells(network, size, of="all"), "every cell"),
    (box_of, "the field of view, the box"),
    (changed_outputs, "have changed places"),
    (at_zero, "A ReLU that gives 0"),
    (partial(at_one, value=1), "try many different inputs"),
    (partial(at_one, value=-1), "try many different inputs"),
    (partial(at_one, value=None), "try many different inputs"),
    (lambda network, size: seen_cells(network, size, dtype=torch.float32), "got torch.float32"),
    (lambda network, size: seen_cells(network, size).sum(), "got torch.int64 ()"),
    (lambda network, size: seen_cells(network, size).roll(1, 0), "of your cells are not seen"),
    (lambda network, size: network(torch.zeros(1, 3, size, size)), "raised RuntimeError"),
])
def test_wrong_probes_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_seen_cells(mistake)
    assert "not yet" in verdict and message in verdict
