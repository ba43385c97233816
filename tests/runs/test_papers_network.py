"""The paper's networks: what each cell varies reaches the network, the loss and the evaluation."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from deeplab.model.backbone import block_rates
from deeplab.model.cascade import CascadedNetwork
from deeplab.model.network import DeepLabV3
from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.runs.network import build_network, network_to_evaluate, started_network
from deeplab.table.paper import load_paper_rows
from deeplab.table.rows import get_row

PYRAMID = "paper_t5_mg124_image"


def built(row_id, profile="demo", **changes):
    torch.manual_seed(0)
    row = get_row(row_id)
    variant = replace(row.variant, **changes)
    return build_network(replace(row, variant=variant) if changes else row, profile)


def test_a_row_of_the_published_table_has_the_published_network():
    model = built("voc_r50_d16")
    assert type(model) is DeepLabV3 and model.aux_classifier is not None
    assert model.aspp.project[0].kernel_size == (3, 3)


def test_the_papers_pyramid_has_its_channels_and_no_auxiliary_head():
    with torch.device("meta"):
        model = built(PYRAMID, "full")
    assert model.aspp.point[0].out_channels == 256
    assert model.aspp.project[0].weight.shape == (256, 5 * 256, 1, 1)
    assert model.aux_classifier is None and [*dict(model.named_children())] == [
        "backbone", "aspp", "classifier"]
    assert [branch[0].dilation[0] for branch in model.aspp.atrous] == [6, 12, 18]


@pytest.mark.parametrize("row_id, branches", [
    ("paper_t5_mg124", 4), ("paper_t5_mg124_rate24", 5), (PYRAMID, 5)])
def test_rates_and_the_image_level_branch_are_the_cells(row_id, branches):
    model = built(row_id)
    channels = model.aspp.point[0].out_channels
    assert model.aspp.project[0].in_channels == branches * channels
    assert (model.aspp.image_pooling is None) == (row_id != PYRAMID)
    assert model.train()(torch.randn(2, 3, 40, 40)).aux is None


def test_multi_grid_and_blocks_are_the_cells():
    model = built("paper_t3_mg124_block6")
    assert isinstance(model, CascadedNetwork) and len(model.cascade) == 2
    expected = block_rates(depth=101, output_stride=16, multi_grid=(1, 2, 4))[-1]
    assert [unit.conv2.dilation[0] for unit in model.backbone.layer4] == expected == [2, 4, 8]


def test_a_cascade_starts_from_the_pretrained_block_4():
    row = get_row("paper_t2_r50_block5")
    first = built("paper_t2_r50_block5").backbone.state_dict()
    first = {key: value + 1 if value.is_floating_point() else value
             for key, value in first.items()}
    model = started_network(row, "demo", first)
    assert torch.equal(model.cascade[0][2].conv3.weight, first["layer4.2.conv3.weight"])


@pytest.mark.parametrize("row_id", ["paper_t4_at8", "paper_t6_at8"])
def test_it_is_evaluated_at_8_with_the_weights_it_was_trained_with_at_16(row_id):
    row, model = get_row(row_id), built(row_id).eval()
    other, image = network_to_evaluate(row, "demo", model), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert model(image).main.shape[-2:] == (4, 4) and other(image).main.shape[-2:] == (8, 8)
    assert all(torch.equal(value, other.state_dict()[key])
               for key, value in model.state_dict().items())
    at_16 = get_row(row_id.replace("at8", "at16"))
    assert network_to_evaluate(at_16, "demo", model) is model


def test_frozen_batchnorm_learns_nothing_and_the_heads_does():
    frozen, free = built("paper_t8_norm"), built(PYRAMID)
    image = torch.randn(2, 3, 40, 40)
    for model in (frozen, free):
        before = {key: value.clone() for key, value in model.state_dict().items()}
        model.train()(image).main.sum().backward()
        moved = {key for key, value in model.state_dict().items()
                 if not torch.equal(value, before[key]) and "running" in key}
        assert any(key.startswith("aspp") for key in moved)
        assert any(key.startswith("backbone") for key in moved) == (model is free)
        norm = model.backbone.layer4[0].bn1
        assert (norm.weight.grad is None) == (model is frozen)
    assert frozen.eval().train().aspp.point[1].training
    assert not any(layer.training for layer in frozen.backbone.modules()
                   if isinstance(layer, nn.BatchNorm2d))


def test_crop_batch_steps_label_and_evaluation_reach_the_run(tmp_path):
    def run(name, profile="full"):
        return RunConfig.of(row_id=f"paper_{name}", profile=profile)
    assert run("t8_crop321").crop == (321, 321) and run("t8_crop321", "demo").crop == (56, 56)
    assert run("t5_mg111").crop == (513, 513) and run("t10_at16").total_steps(2975) == 90_000
    assert [run(f"t9_batch{size}", "demo").batch_size for size in (4, 8, 12, 16)] == [2, 4, 6, 8]
    assert run("t9_batch4").batch_size == 4 and run("t9_batch4").first_weights == "torchvision"
    inference = run("t6_flips").inference
    assert inference.scales == (0.5, 0.75, 1, 1.25, 1.5, 1.75) and inference.flip
    assert not run("t6_at8").inference.flip and run("t6_at8").inference.scales == (1,)
    steps = [Experiment(run(name, "demo")).settings.label_step for name in ("t8_label", "t8_norm")]
    assert steps == [16, 1]


@pytest.mark.parametrize("row_id", load_paper_rows())
def test_every_row_can_be_run_at_full_size(row_id):
    config = RunConfig.of(row_id=row_id, profile="full")
    with torch.device("meta"):
        model = build_network(config.row, "full", stem="7x7")
    assert sum(weight.numel() for weight in model.parameters()) > 2e7
    assert config.training.row.trained_as == "" and config.training.training == config.training
