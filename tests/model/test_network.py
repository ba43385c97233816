"""Counts, shapes and structure of the 16 networks, and what the network refuses."""

import pytest
import torch
from reference_weights import inventory, read_listing, shape_of
from torch import nn

from deeplab.model.network import DeepLabV3, build_model, profile_rates
from deeplab.model.weights import to_sssegmentation
from deeplab.profiles import PROFILES
from deeplab.support.errors import UsageError
from deeplab.table.rows import load_rows

ROWS = load_rows()
COUNTS = {  # parameters by depth and number of classes, from the shapes by hand
    ("resnet50", 21): 70_479_754, ("resnet101", 21): 89_471_882,
    ("resnet50", 150): 70_612_108, ("resnet101", 150): 89_604_236,
    ("resnet50", 19): 70_477_702, ("resnet101", 19): 89_469_830,
    ("resnet50", 60): 70_519_768, ("resnet101", 60): 89_511_896,
    ("resnet50", 59): 70_518_742, ("resnet101", 59): 89_510_870,
}


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def tiny(**changes) -> DeepLabV3:
    arguments = {"num_classes": 5, "depth": 50, "output_stride": 16, "atrous_rates": (1, 2, 3),
                 "width": 1 / 16}
    return DeepLabV3(**(arguments | changes))


@pytest.fixture(scope="module", params=ROWS)
def full(request):
    """A row and its full network, without memory."""
    return ROWS[request.param], shape_of(request.param)


def test_every_row_has_the_published_number_of_parameters(full):
    row, model = full
    assert parameters(model) == COUNTS[row.backbone, row.num_classes]


def test_the_parts_have_the_parameters_worked_out_by_hand(full):
    row, model = full
    backbone = {"resnet50": 23_527_264, "resnet101": 42_519_392}[row.backbone]
    classifier = 513 * row.num_classes  # 512 weights and a bias per class
    assert [parameters(part) for part in (model.backbone, model.aspp, model.classifier,
                                          model.aux_classifier)] == [
        backbone, 42_211_328, classifier, 4_719_616 + classifier]


def test_every_convolution_of_every_row_is_upstreams(full):
    """In/out channels, kernel, stride, padding, rate and bias of all 62 or 113 of them."""
    row, model = full
    want = read_listing("structure/sssegmentation.json")[row.published_weights.removesuffix(".pth")]
    got = {}
    for name, conv in model.named_modules():
        if isinstance(conv, nn.Conv2d):
            name = next(iter(to_sssegmentation({f"{name}.": None}))).removesuffix(".")
            got[name] = [conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0],
                         conv.padding[0], conv.dilation[0], int(conv.bias is not None)]
    assert got == want


def test_every_norm_and_dropout_is_upstreams(full):
    _, model = full
    norms = {(m.eps, m.momentum) for m in model.modules() if isinstance(m, nn.BatchNorm2d)}
    assert norms == {(1e-5, 0.1)}
    assert {name: m.p for name, m in model.named_modules() if isinstance(m, nn.Dropout2d)} == {
        "classifier.0": 0.1, "aux_classifier.3": 0.1}


@pytest.mark.parametrize("profile", ["demo", "small"])
@pytest.mark.parametrize("row_id", ["voc_r50_d8", "voc_r50_d16", "voc_r101_d8", "voc_r101_d16"])
def test_a_slim_network_differs_from_the_full_one_in_width_and_aspp_rates_only(row_id, profile):
    full, slim = shape_of(row_id), shape_of(row_id, profile)
    assert list(full.state_dict()) == list(slim.state_dict())
    for (name, ours), theirs in zip(slim.named_modules(), full.modules(), strict=True):
        if isinstance(ours, nn.Conv2d):
            same = ["kernel_size", "stride"] + ["dilation"] * (not name.startswith("aspp.atrous"))
            assert [getattr(ours, a) for a in same] == [getattr(theirs, a) for a in same], name
            assert ours.out_channels <= theirs.out_channels


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_rates_at_output_stride_8_are_twice_those_at_16_in_every_profile(profile):
    d8, d16 = (profile_rates(ROWS[name], profile) for name in ("voc_r50_d8", "voc_r50_d16"))
    assert d8 == tuple(2 * rate for rate in d16)


def test_profiles_shrink_the_rates_to_hand_worked_values():
    rates = {name: profile_rates(ROWS["voc_r50_d16"], PROFILES[name]) for name in PROFILES}
    assert rates == {"demo": (1, 2, 3), "small": (2, 4, 6), "medium": (6, 12, 18),
                     "full": (6, 12, 18)}


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("size", [(1, 1), (33, 50), (64, 64), (97, 31)])
def test_logits_have_one_cell_per_output_stride_rounded_up(output_stride, size):
    model = tiny(output_stride=output_stride).eval()
    with torch.inference_mode():
        logits = model(torch.zeros(2, 3, *size))
    assert logits.main.shape == (2, 5, *(-(-side // output_stride) for side in size))
    assert logits.aux is None


@pytest.mark.parametrize("output_stride", [8, 16])
def test_auxiliary_logits_appear_in_training_only(output_stride):
    model = tiny(output_stride=output_stride)
    main, aux = model(torch.zeros(2, 3, 33, 50))
    assert aux.shape == main.shape
    assert model.eval()(torch.zeros(2, 3, 33, 50)).aux is None


def test_every_parameter_gets_a_gradient_in_training():
    torch.manual_seed(0)
    model = tiny()
    main, aux = model(torch.randn(2, 3, 33, 33))
    (main.square().mean() + aux.square().mean()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_eval_predictions_do_not_depend_on_the_rest_of_the_batch():
    model = tiny().eval()
    image = torch.randn(3, 3, 33, 41, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(model(image).main[1:2], model(image[1:2]).main)


def test_mmsegmentations_parameters_are_counted_with_its_narrow_auxiliary_head():
    with torch.device("meta"):
        model = build_model(ROWS["voc_r50_d8"], aux_channels=256)
    assert parameters(model) == 68_114_570
    shapes = inventory("mmsegmentation", "deeplabv3_r50-d8_voc12aug")
    assert len(model.state_dict()) == len(shapes)


def test_from_scratch_profiles_start_blocks_as_identities_and_the_recipe_does_not():
    demo = build_model(ROWS["voc_r50_d16"], "demo")
    assert not demo.backbone.layer1[0].bn3.weight.any()
    assert build_model(ROWS["voc_r50_d16"]).backbone.layer1[0].bn3.weight.eq(1).all()


@pytest.mark.parametrize("image", [
    torch.zeros(3, 32, 32), torch.zeros(1, 4, 32, 32), torch.zeros(1, 32, 32, 3),
    torch.zeros(1, 3, 32, 32, dtype=torch.uint8)])
def test_anything_but_a_float_image_batch_is_refused(image):
    with pytest.raises(UsageError, match=r"E-INPUT.*\n.*found: torch\.\w+ \(.*float tensor"):
        tiny().eval()(image)


def test_training_on_one_image_is_refused():
    with pytest.raises(UsageError, match="E-BATCH"):
        tiny()(torch.zeros(1, 3, 64, 64))


def test_an_unknown_profile_is_refused():
    with pytest.raises(UsageError, match=r"E-PROFILE.*\n.*demo"):
        build_model(ROWS["voc_r50_d16"], "dmeo")
