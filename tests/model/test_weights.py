"""Every published inventory converts one to one and back, and nothing else is accepted."""

import json

import pytest
import torch
import torchvision
from reference_weights import REFERENCE, filled, inventory, shape_of

from deeplab.model.network import DeepLabV3, build_model
from deeplab.model.weights import (check_inventory, convert, load_backbone, model_for,
                                   to_mmsegmentation, to_sssegmentation)
from deeplab.support.errors import CheckpointError
from deeplab.table.rows import load_rows
from deeplab.weights.files import load_model, save_weights

ROWS = load_rows()
VOC = ROWS["voc_r50_d8"]


def shapes(state_dict) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state_dict.items()}


def empty(inventory_of: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Tensors of these shapes without memory."""
    return {key: torch.empty(shape, device="meta") for key, shape in inventory_of.items()}


def published(row) -> dict[str, torch.Tensor]:
    """The inventory of the row's published checkpoint."""
    return empty(inventory("sssegmentation", row.published_weights.removesuffix(".pth")))


def zeros(row) -> dict[str, torch.Tensor]:
    """The row's inventory at the size of the demo."""
    return {key: torch.zeros_like(value, device="cpu")
            for key, value in shape_of(row.row_id, "demo").state_dict().items()}


@pytest.fixture(scope="module")
def slim_weights() -> dict[str, torch.Tensor]:
    """A slim network's weights, of which no two projection channels are alike."""
    torch.manual_seed(0)
    return build_model(VOC, "demo").state_dict()


@pytest.mark.parametrize("row_id", ROWS)
def test_every_published_inventory_converts_one_to_one_and_back(row_id):
    row = ROWS[row_id]
    theirs = published(row)
    ours = convert(theirs, row)
    assert len(ours) == {"resnet50": 376, "resnet101": 682}[row.backbone]
    assert shapes(to_sssegmentation(ours)) == shapes(theirs)
    assert shapes(convert(to_mmsegmentation(ours), row)) == shapes(ours)


@pytest.mark.parametrize(("name", "row_id"), [("deeplabv3_r50-d8_voc12aug", "voc_r50_d8"),
                                              ("deeplabv3_r101-d8_voc12aug", "voc_r101_d8")])
def test_mmsegmentations_inventory_converts_with_its_narrow_auxiliary_head(name, row_id):
    theirs = empty(inventory("mmsegmentation", name))
    ours = convert(theirs, ROWS[row_id])
    assert ours["aux_classifier.0.weight"].shape == (256, 1024, 3, 3)
    assert shapes(to_mmsegmentation(ours)) == shapes(theirs)


def test_names_of_the_two_peers_pair_up_as_in_the_tested_map():
    path = REFERENCE / "key_maps/sssegmentation_head_to_mmsegmentation.json"
    pairs = json.loads(path.read_text())
    assert len(pairs) == 46
    ours = convert(published(VOC), VOC)
    names = dict(zip(to_sssegmentation(ours), to_mmsegmentation(ours), strict=True))
    assert {key: names[key] for key in pairs} == pairs


def test_the_pooled_branch_moves_between_first_and_last(slim_weights):
    """Our projection reads (1x1, three rates, pooled); mmsegmentation's the pooled branch first."""
    ours = slim_weights["aspp.project.0.weight"]
    theirs = to_mmsegmentation(slim_weights)["decode_head.bottleneck.conv.weight"]
    c_out = ours.shape[0]
    torch.testing.assert_close(theirs[:, :c_out], ours[:, 4 * c_out:])
    torch.testing.assert_close(theirs[:, c_out:], ours[:, :4 * c_out])


@pytest.mark.parametrize("rename", [to_sssegmentation, to_mmsegmentation, dict])
@pytest.mark.parametrize("wrap", [
    dict, lambda w: {"model": w, "epoch": 60}, lambda w: {"state_dict": w, "meta": {}},
    lambda w: {f"module.{key}": value for key, value in w.items()}],
    ids=["plain", "model", "state_dict", "module"])
def test_weights_survive_the_round_trip_bit_by_bit(slim_weights, rename, wrap):
    back = convert(wrap(rename(slim_weights)), VOC, "demo")
    assert list(back) == list(slim_weights)
    assert all(torch.equal(back[key], slim_weights[key]) for key in slim_weights)


def test_model_for_predicts_as_the_model_the_weights_came_from(slim_weights):
    model = build_model(VOC, "demo").eval()
    model.load_state_dict(slim_weights)
    image = torch.randn(1, 3, 40, 33, generator=torch.Generator().manual_seed(0))
    twin = model_for(to_mmsegmentation(slim_weights), VOC, "demo")
    assert not twin.training
    assert torch.equal(model(image).main, twin(image).main)


def test_model_for_builds_the_stem_and_the_auxiliary_head_the_weights_have():
    source = build_model(VOC, "demo", stem="7x7", aux_channels=256)
    model = model_for(source.state_dict(), VOC, "demo")
    assert shapes(model.state_dict()) == shapes(source.state_dict())


def test_keys_and_shapes_refuse_every_row_but_the_twin_at_another_output_stride():
    """Of 240 cross loads 228 differ in keys or shapes; rates have no weights, so 12 do not."""
    passed = set()
    weights = {row_id: shape_of(row_id).state_dict() for row_id in ROWS}
    for target in ROWS:
        for source in ROWS:
            try:
                check_inventory(weights[source], shape_of(target), owner=target)
            except CheckpointError as error:
                assert error.code == "E-WEIGHTS"
            else:
                passed.add((source, target))
    assert {(s, t) for s, t in passed if s == t} == {(row, row) for row in ROWS}
    twins = {pair for pair in passed if pair[0] != pair[1]}
    assert len(twins) == 12
    assert all(s.rsplit("_", 1)[0] == t.rsplit("_", 1)[0] for s, t in twins)


def test_of_256_cross_loads_of_our_files_240_are_refused_and_16_succeed(tmp_path):
    refused = loaded = 0
    for source, row in ROWS.items():
        path = save_weights(tmp_path / f"{source}.safetensors", zeros(row),
                            row_id=source, profile="demo")
        for target in ROWS:
            try:
                load_model(path, ROWS[target])
                assert source == target
                loaded += 1
            except CheckpointError as error:
                assert source in str(error) and target in str(error)
                refused += 1
        path.unlink()
    assert (refused, loaded) == (240, 16)


def without(weights, key):
    return {name: value for name, value in weights.items() if name != key}


@pytest.mark.parametrize(("change", "message"), [
    (lambda w: without(w, "decoder.1.bias"),
     r"1 keys missing, 0 unexpected, 0 of another shape\n.*\n\s+missing classifier.1.bias \(21,\)"),
    (lambda w: w | {"decoder.7.bias": torch.zeros(3)},
     r"0 keys missing, 1 unexpected.*\n.*\n\s+unexpected classifier.7.bias \(3,\)"),
    (lambda w: w | {"decoder.1.bias": torch.zeros(150)},
     r"0 unexpected, 1 of another.*\n.*\n\s+classifier.1.bias \(150,\), expected \(21,\)"),
    (lambda w: w | {"aspp_net.bottleneck.0.weight": torch.zeros(())}, "1 of another shape"),
    (lambda w: w | {"auxiliary_decoder.0.weight": torch.zeros(())}, "1 of another shape"),
    (lambda w: w | {"auxiliary_decoder.0.weight": torch.zeros(300, 1024, 3, 3)},
     r"\(300, 1024, 3, 3\), expected \(512, 1024, 3, 3\)"),
    (lambda w: w | {"classifier.1.bias": torch.zeros(21)}, "two keys stand for the same weight"),
    (lambda w: {key.replace("backbone_net", "spine"): value for key, value in w.items()},
     "not the weights of a DeepLabV3 that fits row voc_r50_d8"),
    (lambda w: {"optimizer": {"lr": 0.1}}, "no weights in this file"),
    (lambda w: {}, "no weights in this file"),
])
def test_weights_that_do_not_fit_are_refused_with_the_keys(change, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        convert(change(published(VOC)), VOC)
    assert caught.value.code == "E-WEIGHTS"


def test_a_scalar_projection_in_mmsegmentations_names_is_refused_and_not_rolled():
    weights = empty(inventory("mmsegmentation", "deeplabv3_r50-d8_voc12aug"))
    weights["decode_head.bottleneck.conv.weight"] = torch.zeros(())
    with pytest.raises(CheckpointError, match="1 of another shape"):
        convert(weights, VOC)


def test_an_error_names_the_row_and_ten_keys_at_most():
    with pytest.raises(CheckpointError, match="row voc_r50_d8") as caught:
        convert(published(ROWS["ade20k_r101_d8"]), VOC)
    lines = str(caught.value).splitlines()
    assert sum(line.startswith("    ") and "and" not in line for line in lines) == 10
    assert any(line.strip() == "and 300 more" for line in lines)  # 306 keys and 4 class shapes


def slim(stem: str) -> DeepLabV3:
    return build_model(VOC, "demo", stem=stem)


def test_imagenet_weights_of_torchvision_fit_the_7x7_stem():
    with torch.device("meta"):
        model = build_model(VOC, stem="7x7").to_empty(device="cpu")
        weights = torchvision.models.resnet50().state_dict()
    weights = filled(shapes(weights))
    load_backbone(model, weights)
    assert all(torch.equal(value, weights[key])
               for key, value in model.backbone.state_dict().items())


def test_v1c_weights_fit_the_v1c_stem_and_lose_their_classifier():
    weights = filled(shapes(slim("v1c").backbone.state_dict()))
    model = slim("v1c")
    load_backbone(model, {"state_dict": {**weights, "fc.weight": torch.zeros(1000, 256),
                                         "fc.bias": torch.zeros(1000)}})
    assert all(torch.equal(value, weights[key])
               for key, value in model.backbone.state_dict().items())


@pytest.mark.parametrize(("has", "wants"), [("7x7", "v1c"), ("v1c", "7x7")])
def test_weights_of_the_other_stem_are_refused_with_what_to_do(has, wants):
    with pytest.raises(CheckpointError, match=rf'(?s)another stem.*do: build .* stem="{has}"'):
        load_backbone(slim(wants), slim(has).backbone.state_dict())


def test_a_backbone_with_a_missing_block_is_refused():
    weights = without(slim("v1c").backbone.state_dict(), "layer3.5.bn2.bias")
    with pytest.raises(CheckpointError, match="missing layer3.5.bn2.bias"):
        load_backbone(slim("v1c"), weights)
