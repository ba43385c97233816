"""Eq. (1) against kernels with zeros between the taps, and maps counted by hand."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from deeplab.model.atrous import atrous_conv1d, conv_bn_relu, field_of_view, footprint, taps_inside
from deeplab.support.errors import UsageError


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("kernel_size", "rate", "cells"),
                         [(3, 1, 3), (3, 2, 5), (3, 6, 13), (3, 24, 49), (1, 7, 1), (5, 3, 13)])
def test_field_of_view_counts_first_tap_to_last(kernel_size, rate, cells):
    assert field_of_view(kernel_size, rate) == cells


def test_atrous_conv1d_equals_the_sum_worked_out_by_hand():
    """y[0] = 1*1 + 2*10 + 3*100 for taps 0, 2, 4; y[1] one cell further."""
    x = torch.tensor([1.0, 0, 2, 0, 3, 5])
    w = torch.tensor([1.0, 10, 100])
    assert atrous_conv1d(x, w, 2).tolist() == [321.0, 500.0]


@pytest.mark.parametrize("rate", [1, 2, 5])
def test_atrous_conv1d_equals_a_kernel_with_holes(rate):
    x, w = random(23), random(3)
    holes = torch.zeros(2 * rate + 1)
    holes[::rate] = w
    want = F.conv1d(x.view(1, 1, -1), holes.view(1, 1, -1)).flatten()
    torch.testing.assert_close(atrous_conv1d(x, w, rate), want)


def test_atrous_conv1d_has_the_right_gradients():
    x, w = random(9).double().requires_grad_(), random(3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x, w: atrous_conv1d(x, w, 3), (x, w))


@pytest.mark.parametrize("rate", [0, -1, 1.5, True, "2"])
def test_a_rate_that_is_no_step_is_refused(rate):
    with pytest.raises(UsageError, match=r"E-RATE.*\n.*found: .*1 or more"):
        atrous_conv1d(random(9), random(3), rate)
    with pytest.raises(UsageError, match="E-RATE"):
        conv_bn_relu(1, 1, kernel_size=3, rate=rate)
    with pytest.raises(UsageError, match="E-RATE"):
        taps_inside(3, 3, rate=rate)
    with pytest.raises(UsageError, match="E-RATE"):
        footprint((1, rate) if isinstance(rate, int) and rate < 1 else (True,))


def test_a_kernel_wider_than_the_signal_is_refused():
    assert len(atrous_conv1d(random(9), random(3), 4)) == 1
    with pytest.raises(UsageError, match=r"E-INPUT.*\n.*found: 8 samples.*at least 9"):
        atrous_conv1d(random(8), random(3), 4)
    with pytest.raises(UsageError, match=r"E-INPUT.*\n.*x \(1, 9\)"):
        atrous_conv1d(random(1, 9), random(3), 1)


@pytest.mark.parametrize(("kernel_size", "stride", "rate"),
                         [(1, 1, 1), (3, 1, 1), (3, 1, 6), (3, 2, 1), (1, 2, 1)])
def test_conv_bn_relu_keeps_the_map_up_to_its_stride(kernel_size, stride, rate):
    layer = conv_bn_relu(2, 5, kernel_size=kernel_size, stride=stride, rate=rate)
    assert layer(random(2, 2, 17, 10)).shape == (2, 5, -(-17 // stride), -(-10 // stride))
    assert layer[0].bias is None


def test_taps_inside_equals_counting_each_tap():
    for rate, (height, width) in itertools.product((1, 2, 5), ((4, 7), (1, 1), (6, 6))):
        want = [[sum(0 <= i + di < height and 0 <= j + dj < width
                     for di in (-rate, 0, rate) for dj in (-rate, 0, rate))
                 for j in range(width)] for i in range(height)]
        got = taps_inside(height, width, rate=rate)
        assert got.dtype == torch.int64
        assert got.tolist() == want


def test_a_rate_of_the_maps_size_leaves_only_the_centre_tap():
    """Fig. 4: the 3x3 kernel degenerates into a 1x1 one."""
    assert taps_inside(33, 33, rate=33).eq(1).all()
    assert not taps_inside(32, 32, rate=18).eq(9).any()


def test_footprint_of_one_layer_is_its_nine_taps():
    cells = footprint((2,))
    assert cells.shape == (5, 5)
    assert cells.nonzero().tolist() == [[i, j] for i in (0, 2, 4) for j in (0, 2, 4)]


def test_footprint_equals_the_gradient_of_stacked_convolutions():
    x = torch.zeros(1, 1, 15, 15, dtype=torch.float64, requires_grad=True)
    ones = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    y = x
    for rate in (1, 2, 4):
        y = F.conv2d(y, ones, dilation=rate)
    y.sum().backward()
    assert torch.equal(footprint((1, 2, 4)), x.grad[0, 0].long())


def test_equal_rates_leave_holes_that_multi_grid_fills():
    assert footprint((2, 2, 2)).count_nonzero() == 49  # of 13 x 13: every second cell
    assert footprint((1, 2, 4)).all()  # all 15 x 15
    assert footprint((2, 2, 2)).sum() == footprint((1, 2, 4)).sum() == 9 ** 3
