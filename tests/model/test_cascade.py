"""Blocks 5 to 7: hand-worked strides and rates, shapes, copies of block 4, and nothing at zero."""

import pytest
import torch

from deeplab.model.backbone import Bottleneck, block_rates
from deeplab.model.cascade import CascadedNetwork, cascade_plan
from deeplab.support.errors import UsageError

SLIM = {"num_classes": 5, "depth": 50, "width": 1 / 8}


def network(**options):
    torch.manual_seed(0)
    return CascadedNetwork(**SLIM | options).eval()


def rates_of(model):
    return [[unit.conv2.dilation[0] for unit in block] for block in model.cascade]


@pytest.mark.parametrize("output_stride, plan", [
    (8, [(1, 8), (1, 16), (1, 32)]), (16, [(1, 4), (1, 8), (1, 16)]),
    (32, [(1, 2), (1, 4), (1, 8)]), (64, [(2, 1), (1, 2), (1, 4)]),
    (128, [(2, 1), (2, 1), (1, 2)]), (256, [(2, 1), (2, 1), (2, 1)])])
def test_each_stride_given_up_doubles_the_rate_of_what_follows(output_stride, plan):
    """Fig. 3: (a) is output stride 256, (b) is 16 with rates 2, 4, 8, 16 from block 4 on."""
    assert cascade_plan(output_stride, 3) == plan


@pytest.mark.parametrize("output_stride", [8, 16, 32, 64, 128, 256])
def test_the_map_has_the_size_of_the_output_stride(output_stride):
    logits = network(output_stride=output_stride)(torch.zeros(1, 3, 256, 512))
    assert logits.main.shape == (1, 5, 256 // output_stride, 512 // output_stride)
    assert logits.aux is None


def test_multi_grid_multiplies_the_rates_of_block_4_and_of_every_copy():
    model = network(output_stride=16, multi_grid=(1, 2, 4))
    assert block_rates(depth=50, output_stride=16, multi_grid=(1, 2, 4))[-1] == [2, 4, 8]
    assert rates_of(model) == [[4, 8, 16], [8, 16, 32], [16, 32, 64]]


def test_without_copies_it_is_the_backbone_and_a_classifier():
    model, image = network(output_stride=16, blocks=0), torch.randn(1, 3, 33, 49)
    assert torch.equal(model(image).main, model.classifier(model.backbone(image).conv5))


def test_the_copies_start_from_the_weights_that_block_4_has_when_it_is_copied():
    model = network(output_stride=16)
    with torch.no_grad():
        for weight in model.backbone.layer4.parameters():
            weight.add_(1)
    model.copy_block4()
    for block in model.cascade:
        for unit, source in zip(block, (1, 1, 2), strict=True):
            for key, value in model.backbone.layer4[source].state_dict().items():
                assert torch.equal(unit.state_dict()[key], value)
    first = model.cascade[0][0].conv1.weight
    assert first.data_ptr() != model.backbone.layer4[1].conv1.weight.data_ptr()


def test_at_rate_one_a_copy_computes_what_block_4_s_later_units_compute():
    model, x = network(output_stride=64), torch.randn(1, 256, 4, 4)
    copied = model.cascade[1]  # rate 2, stride 1: set to rate 1, it is units 2, 2 and 3
    for unit in copied:
        unit.conv2.dilation = unit.conv2.padding = (1, 1)
    units = [model.backbone.layer4[index] for index in (1, 1, 2)]
    for unit in units:
        unit.conv2.dilation = unit.conv2.padding = (1, 1)
    expected = units[2](units[1](units[0](x)))
    torch.testing.assert_close(copied(x), expected)
    assert all(isinstance(unit, Bottleneck) for unit in copied)


def test_gradients_reach_every_block_and_there_is_no_auxiliary_head():
    model = network(output_stride=16).train()
    logits = model(torch.randn(2, 3, 33, 33))
    assert logits.aux is None
    logits.main.sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


@pytest.mark.parametrize("options, code", [
    ({"output_stride": 16, "blocks": 4}, "E-CASCADE"), ({"output_stride": 512}, "E-STRIDE"),
    ({"output_stride": 64, "blocks": 0}, "E-STRIDE"), ({"output_stride": 12}, "E-STRIDE"),
    ({"output_stride": 16, "multi_grid": (1, 2)}, "E-GRID")])
def test_a_cascade_that_cannot_be_is_refused(options, code):
    with pytest.raises(UsageError, match=code):
        network(**options)
