"""What float16 keeps of gradients, against hand-worked values and a plain backward pass."""

import pytest
import torch

from deeplab.course.gpus.float16 import LARGEST, SMALLEST, half_shares, map_gradients, rounding
from deeplab.course.gpus.two_processes import demo_batch


def test_the_limits_are_those_of_float16():
    assert torch.finfo(torch.float16).max == LARGEST
    assert torch.finfo(torch.float16).smallest_normal / 1024 == SMALLEST
    assert torch.tensor(SMALLEST).half() > 0
    assert torch.tensor(SMALLEST / 2).half() == 0


def test_shares_count_only_gradients_above_zero():
    gradients = torch.tensor([0.0, 1e-9, -1e-9, 1.0, 1e5])
    assert half_shares(gradients) == pytest.approx((50, 25))
    assert half_shares(gradients, 2.0**20) == pytest.approx((0, 50))
    assert half_shares(gradients, 2.0**-20) == pytest.approx((50, 0))


def test_more_pixels_mean_smaller_gradients_by_the_same_factor():
    model, image, label = demo_batch()
    image, label = image[:2], label[:2]
    state = torch.get_rng_state()
    few = map_gradients(model, image, label, pixels=label.numel())
    many = map_gradients(model, image, label, pixels=8 * label.numel())
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(many * 8, few)
    assert all(weight.grad is None for weight in model.parameters())


def test_the_gradient_at_the_last_convolutions_sums_to_that_of_their_biases():
    model, image, label = demo_batch()
    gradients = map_gradients(model, image[:2], label[:2], pixels=label[:2].numel())
    cells = 2 * 21 * 6 * 6  # logits of the main head; each pixel's gradient sums to 0 over classes
    by_map = gradients[-cells:], gradients[-2 * cells:-cells]
    sums = [part.view(2, 21, 36).sum(1).abs().max().item() for part in by_map]
    assert min(sums) < 1e-6 < gradients.abs().max()


def test_bfloat16_keeps_the_size_and_fewer_digits():
    gradients = torch.tensor([3.3e-9, -7.7e-12, 1.1e-5, 2.3])
    assert half_shares(gradients)[0] == 50
    assert half_shares(gradients, kind=torch.bfloat16) == (0, 0)
    digits = 1 + torch.rand(1000, generator=torch.Generator().manual_seed(0))
    ratio = rounding(digits, kind=torch.bfloat16) / rounding(digits)
    assert ratio == pytest.approx(8, rel=0.15)  # three bits fewer
