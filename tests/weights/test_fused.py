"""The network arranged for inference gives the logits of the plain one."""

import pytest
import torch
from torch import nn

from deeplab.model.network import DeepLabV3
from deeplab.support.errors import UsageError
from deeplab.weights import fused
from deeplab.weights.fused import FusedDeepLabV3, inside, needed_taps, optimize_for_inference

NETWORKS = {
    "d8": dict(output_stride=8, atrous_rates=(12, 24, 36)),
    "d16": dict(output_stride=16, atrous_rates=(6, 12, 18)),
    "r101": dict(output_stride=16, atrous_rates=(6, 12, 18), depth=101),
    "7x7 stem": dict(output_stride=16, atrous_rates=(6, 12, 18), stem="7x7"),
    "paper": dict(output_stride=16, atrous_rates=(6, 12, 18), project_kernel=1,
                  multi_grid=(1, 2, 4)),
}


def images(*size, count=1):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(1))


def lively(name: str, width: float = 0.125) -> DeepLabV3:
    """A network in eval mode whose BatchNorms have seen something, with logits of deviation 3."""
    torch.manual_seed(0)
    model = DeepLabV3(**dict(num_classes=5, depth=50, width=width) | NETWORKS[name])
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.2)
            nn.init.normal_(module.bias, 0, 0.3)
    model.eval()
    with torch.no_grad():
        model.classifier[-1].weight.mul_(3 / model(images(65, 65)).main.std())
    return model


@torch.inference_mode()
def assert_equal_logits(model, optimized, image):
    expected, found = model(image).main, optimized(image)
    assert found.aux is None and found.main.is_contiguous()
    assert expected.std() > 0.1  # 1e-4 of something
    torch.testing.assert_close(found.main, expected, atol=1e-4, rtol=0)


# maps of 65 x 86 cells down to a single one; rates above the map's height, its width or both
@pytest.mark.parametrize("size", [(321, 337), (512, 683), (96, 400), (33, 32), (17, 260), (8, 8)],
                         ids=str)
@pytest.mark.parametrize("name", ["d8", "d16"])
def test_logits_equal_the_plain_network_s(name, size):
    model = lively(name)
    assert_equal_logits(model, optimize_for_inference(model), images(*size))
    assert_equal_logits(model, FusedDeepLabV3(model, side=None), images(*size))


@pytest.mark.parametrize("name", ["r101", "7x7 stem", "paper"])
def test_every_form_of_the_network_is_known(name):
    model = lively(name)
    assert_equal_logits(model, optimize_for_inference(model), images(97, 129, count=3))


def test_the_full_width_agrees_too():
    model = lively("d8", width=1)
    assert_equal_logits(model, optimize_for_inference(model), images(97, 129))


def test_the_model_is_left_as_it_is_and_the_copy_does_not_follow_it():
    model = lively("d16").train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimized = optimize_for_inference(model)
    with torch.inference_mode():
        first = optimized(images(65, 65)).main
        assert model.training and all(
            torch.equal(value, before[key]) for key, value in model.state_dict().items())
        for parameter in model.parameters():
            parameter.zero_()
        assert torch.equal(optimized(images(65, 65)).main, first)
    assert not list(optimized.parameters())  # nothing to train


def test_no_input_is_overwritten():
    image = images(65, 65).contiguous(memory_format=torch.channels_last)
    before = image.clone()
    optimize_for_inference(lively("d16"))(image)
    assert torch.equal(image, before)


def test_a_byte_image_is_refused_as_by_the_plain_network():
    with pytest.raises(UsageError, match="E-INPUT"):
        optimize_for_inference(lively("d16"))(torch.zeros(1, 3, 9, 9, dtype=torch.uint8))


def test_without_onednn_the_weights_stay_in_pytorch_s_order(monkeypatch):
    monkeypatch.setattr(fused, "can_pack", lambda: False)
    optimized = optimize_for_inference(lively("d16"))
    assert not any(module.pack for module in optimized.modules()
                   if isinstance(module, fused.FusedConv))


def test_taps_that_fall_on_padding_everywhere_are_left_out():
    weight = torch.arange(9.0).view(1, 1, 3, 3)
    for size, taps, padding in [((7, 7), weight, [6, 6]), ((6, 7), weight[:, :, 1:2], [0, 6]),
                                ((7, 6), weight[..., 1:2], [6, 0]),
                                ((6, 6), weight[:, :, 1:2, 1:2], [0, 0])]:
        found, pads = needed_taps(weight, (6, 6), torch.empty(1, 1, *size))
        assert torch.equal(found, taps) and pads == padding


def test_taps_inside_by_hand():
    assert inside(1, 3).tolist() == [[False, True, False]]
    assert inside(2, 3).tolist() == [[False, True, True], [True, True, False]]
    assert inside(4, 1).all()


@pytest.mark.slow
def test_a_compiled_copy_gives_the_same_logits():
    model = lively("d16")
    compiled = optimize_for_inference(model, compile=True)
    for size in ((65, 65), (97, 129)):
        assert_equal_logits(model, compiled, images(*size))
