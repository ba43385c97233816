"""The dilated ResNet against torchvision's with the same weights, and the paper's numbers."""

import math

import pytest
import torch
import torchvision

from deeplab.model.backbone import DEPTHS, ResNet, block_rates, scaled_channels, stage_plan
from deeplab.support.errors import UsageError

STRIDES = (8, 16, 32)
DILATED = {8: [False, True, True], 16: [False, False, True], 32: [False, False, False]}


@pytest.mark.parametrize(("output_stride", "plan"), [
    (8, [(1, 1), (2, 1), (1, 2), (1, 4)]),
    (16, [(1, 1), (2, 1), (2, 1), (1, 2)]),
    (32, [(1, 1), (2, 1), (2, 1), (2, 1)]),
])
def test_stage_plan_trades_stride_for_rate(output_stride, plan):
    assert stage_plan(output_stride) == plan
    assert 4 * math.prod(stride for stride, _ in plan) == output_stride
    assert output_stride * plan[-1][1] == 32


def test_the_first_block_of_a_dilated_stage_keeps_the_rate_before():
    assert block_rates(depth=50, output_stride=8) == [
        [1] * 3, [1] * 4, [1, 2, 2, 2, 2, 2], [2, 4, 4]]
    assert block_rates(depth=101, output_stride=16) == [[1] * 3, [1] * 4, [1] * 23, [1, 2, 2]]
    assert block_rates(depth=50, output_stride=32)[-1] == [1, 1, 1]


@pytest.mark.parametrize(("output_stride", "rates"), [(16, [2, 4, 8]), (8, [4, 8, 16])])
def test_multi_grid_multiplies_the_rate_of_the_last_stage(output_stride, rates):
    """Sec. 3.2.1: at output stride 16 Multi-Grid (1, 2, 4) gives 2 * (1, 2, 4)."""
    backbone = ResNet(output_stride=output_stride, multi_grid=(1, 2, 4), width=1 / 16)
    assert [block.conv2.dilation for block in backbone.layer4] == [(r, r) for r in rates]


@pytest.mark.parametrize("output_stride", STRIDES)
@pytest.mark.parametrize("depth", DEPTHS)
def test_every_stage_equals_torchvisions_with_the_same_weights(depth, output_stride):
    with torch.device("meta"):
        ours = ResNet(depth=depth, output_stride=output_stride, stem="7x7")
        theirs = getattr(torchvision.models, f"resnet{depth}")(
            replace_stride_with_dilation=DILATED[output_stride])
    generator = torch.Generator().manual_seed(depth)
    weights = {key: 0.5 + torch.rand(value.shape, generator=generator) if value.ndim == 1
               else torch.randn(value.shape, generator=generator) / math.sqrt(value[0].numel())
               for key, value in theirs.state_dict().items() if value.ndim}
    theirs = theirs.to_empty(device="cpu").eval()
    theirs.load_state_dict(weights, strict=False)
    ours = ours.to_empty(device="cpu").eval()
    trunk = {key: value for key, value in weights.items() if not key.startswith("fc.")}
    unmatched = ours.load_state_dict(trunk, strict=False)
    assert not unmatched.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in unmatched.missing_keys)
    image = torch.randn(1, 3, 65, 50, generator=generator)
    with torch.inference_mode():
        got = ours(image)
        x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(image))))
        for index, stage in enumerate(got, start=1):
            x = getattr(theirs, f"layer{index}")(x)
            torch.testing.assert_close(stage, x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("output_stride", STRIDES)
@pytest.mark.parametrize("size", [(1, 1), (33, 65), (64, 48), (97, 30)])
def test_every_stage_has_the_size_of_its_stride_rounded_up(output_stride, size):
    backbone = ResNet(output_stride=output_stride, width=1 / 16).eval()
    with torch.inference_mode():
        stages = backbone(torch.zeros(1, 3, *size))
    for stage, stride in zip(stages, (4, 8, 16, 32), strict=True):
        stride = min(stride, output_stride)
        assert stage.shape[-2:] == tuple(-(-side // stride) for side in size)


def test_a_dilated_stage_sees_the_pixels_it_was_pretrained_for():
    """Sec. 3.2: at a full grid of cells the strided map is a subset of the dilated one."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, 64, 64, generator=generator)
    dense, coarse = (ResNet(output_stride=s, width=1 / 16).eval() for s in (16, 32))
    coarse.load_state_dict(dense.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(dense(image).conv5[..., ::2, ::2], coarse(image).conv5,
                                   rtol=1e-3, atol=1e-3)  # of values around 100


def test_zero_init_residual_starts_every_block_as_its_shortcut():
    backbone = ResNet(width=1 / 16, zero_init_residual=True).eval()
    x = torch.rand(1, 32, 5, 5)
    with torch.inference_mode():
        torch.testing.assert_close(backbone.layer1[1](x), x)
    assert ResNet(width=1 / 16).layer1[1].bn3.weight.eq(1).all()


def test_slim_channels_are_multiples_of_eight():
    assert [scaled_channels(c, 1 / 8) for c in (32, 64, 256, 2048)] == [8, 8, 32, 256]
    assert [scaled_channels(c, 1) for c in (32, 64, 2048)] == [32, 64, 2048]


@pytest.mark.parametrize(("arguments", "message"), [
    ({"output_stride": 4}, r"E-STRIDE.*\n.*found: 4 .*8, 16 or 32"),
    ({"depth": 18}, r"E-DEPTH.*\n.*found: 18 .*50 or 101"),
    ({"stem": "v1d"}, r"E-STEM.*\n.*found: 'v1d'.*'7x7'"),
    ({"multi_grid": (1, 2)}, r"E-GRID.*\n.*found: \(1, 2\).*three"),
    ({"multi_grid": (0, 1, 1)}, r"E-GRID.*\n.*found: \(0, 1, 1\)"),
])
def test_a_backbone_that_does_not_exist_is_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        ResNet(**arguments, width=1 / 16)
