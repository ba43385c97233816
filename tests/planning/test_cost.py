"""Multiply-adds and parameters: by hand, by PyTorch's own counter, by torchvision's figures."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import ResNet50_Weights, ResNet101_Weights

from deeplab.model.network import DeepLabV3
from deeplab.planning.cost import count_macs, eval_windows, meta_model, model_cost
from deeplab.runs.config import RunConfig


def config(row_id: str, profile: str = "full") -> RunConfig:
    return RunConfig.of(row_id=row_id, profile=profile)


@pytest.mark.parametrize("row_id, cells, aux_cells", [
    ("voc_r50_d8", 64 * 64, 64 * 64), ("voc_r50_d16", 32 * 32, 32 * 32)])
def test_the_heads_cost_what_their_shapes_say(row_id, cells, aux_cells):
    macs = model_cost(config(row_id)).train_macs
    one_by_one, three_by_three = 2048 * 512, 9 * 2048 * 512
    per_cell = one_by_one + 3 * three_by_three + 9 * 2560 * 512
    assert per_cell == 41_156_608
    assert macs["aspp"] == cells * per_cell + 2048 * 512  # the last: one image-level vector
    assert macs["classifier"] == cells * 512 * 21
    assert macs["aux_classifier"] == aux_cells * (9 * 1024 * 512 + 512 * 21)


def test_a_voc_crop_costs_the_published_billions():
    at_8, at_16 = (model_cost(config(f"voc_r50_{stride}")).train_macs for stride in ("d8", "d16"))
    assert [round(macs["aspp"] / 1e9, 1) for macs in (at_8, at_16)] == [168.6, 42.1]
    assert at_8["aux_classifier"] / 1e9 == pytest.approx(19.3, abs=0.1)


@pytest.mark.parametrize("depth, weights", [(50, ResNet50_Weights.IMAGENET1K_V1),
                                            (101, ResNet101_Weights.IMAGENET1K_V1)])
def test_the_backbone_costs_what_torchvision_says_of_its_own(depth, weights):
    with torch.device("meta"):
        model = DeepLabV3(num_classes=2, depth=depth, output_stride=32, atrous_rates=(1, 1, 1),
                          stem="7x7")
    macs = count_macs(model, height=224, width=224)["backbone"]
    assert round((macs + 2048 * 1000) / 1e9, 3) == weights.meta["_ops"]  # with its classifier


@pytest.mark.parametrize("row_id, profile", [("cityscapes_r50_d16", "full"),
                                             ("context_r50_d8", "demo")])
def test_the_parts_add_up_to_what_pytorchs_counter_finds(row_id, profile):
    run = config(row_id, profile)
    model, cost = meta_model(run), model_cost(run)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.train()(torch.empty(2, 3, *run.crop, device="meta"))
    assert counter.get_total_flops() == 2 * 2 * sum(cost.train_macs.values())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        for window in eval_windows(run):
            model.eval()(torch.empty(1, 3, *window, device="meta"))
    assert counter.get_total_flops() == 2 * sum(cost.eval_macs.values())


def test_parameters_are_exact_and_nothing_is_allocated():
    run = config("voc_r50_d8")
    parts = model_cost(run).parameters
    assert sum(parts.values()) == 70_479_754
    assert list(parts.values()) == [23_527_264, 42_211_328, 513 * 21, 4_719_616 + 513 * 21]
    assert all(weight.is_meta for weight in meta_model(run).state_dict().values())


def test_images_are_evaluated_at_the_recipes_sizes():
    assert eval_windows(config("voc_r50_d8")) == [(512, 683)]
    assert eval_windows(config("cityscapes_r101_d16")) == [(1024, 2048)]
    assert eval_windows(config("context_r50_d8")) == [(390, 480), (390, 480)]
    assert eval_windows(config("voc_r50_d8", "demo")) == [(85, 113)]


def test_counting_leaves_no_hook_behind():
    model = meta_model(config("voc_r50_d16", "demo"))
    first = count_macs(model, height=64, width=64)
    assert count_macs(model, height=64, width=64) == first
    assert not any(module._forward_hooks for module in model.modules())
