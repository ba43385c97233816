"""The checks of lesson 6 pass the right answer and name each usual mistake."""

import pytest
import torch
import torch.nn.functional as F

from deeplab.course.model import checks
from deeplab.evaluation.upsample import upsampled
from deeplab.model.atrous import field_of_view


def macs(conv, height, width):
    side = conv.kernel_size[0]
    stride = conv.stride[0]
    cells = -(-height // stride) * -(-width // stride)
    return cells * conv.in_channels * conv.out_channels * side * side


def test_the_macs_by_hand_are_correct():
    assert checks.check_conv_macs(macs).startswith("Exercise 6.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda conv, height, width: height * width * conv.weight.numel(), "7 x 10 cells"),
    (lambda conv, height, width: macs(conv, height, width) // conv.kernel_size[0] ** 2
     * field_of_view(conv.kernel_size[0], conv.dilation[0]) ** 2, "holes"),
    (lambda conv, height, width: macs(conv, height, width) * conv.dilation[0] ** 2, "adds none"),
    (lambda conv, height, width: (height // conv.stride[0]) * (width // conv.stride[0])
     * conv.weight.numel(), "round up"),
    (lambda conv, height, width: conv.stride * height / width, "raised TypeError"),
    (lambda conv, height, width: macs(conv, height, width) // conv.kernel_size[0], "two axes"),
    (lambda conv, height, width: macs(conv, height, width) // conv.in_channels, "all 8 channels"),
    (lambda conv, height, width: macs(conv, height, width) // conv.out_channels, "12 output"),
    (lambda conv, height, width: conv.weight.numel(), "these are the weights"),
    (lambda conv, height, width: 2 * macs(conv, height, width), "flops"),
    (lambda conv, height, width: macs(conv, height, width) + 1, "expected 24,960"),
    (lambda conv, height, width: None, "got None"),
])
def test_wrong_macs_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_conv_macs(mistake)
    assert "not yet" in verdict and message in verdict


def assembled(model, image, resize=upsampled):
    logits = model.classifier(model.aspp(model.backbone(image).conv5))
    return resize(logits, *image.shape[-2:])


def test_the_parts_in_order_are_correct():
    assert checks.check_full_size_logits(assembled).startswith("Exercise 6.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda model, image: model.classifier(model.aspp(model.backbone(image).conv5)),
     "one score per cell"),
    (lambda model, image: upsampled(model(image).main, 49, 65), "That calls the network"),
    (lambda model, image: model.classifier(image), "raised RuntimeError"),
    (lambda model, image: assembled(model, image).argmax(1), "That is a prediction"),
    (lambda model, image: assembled(model, image).transpose(2, 3), "Expected logits (2, 5, 49"),
    (lambda model, image: upsampled(model.aux_classifier(model.backbone(image).conv4), 49, 65),
     "auxiliary head"),
    (lambda model, image: assembled(model, image, lambda logits, *size: F.interpolate(
        logits, size, mode="bilinear", align_corners=True)), "align_corners=True"),
    (lambda model, image: assembled(model, image, lambda logits, *size: F.interpolate(
        logits, size)), "Nearest neighbour"),
    (lambda model, image: assembled(model, image, lambda logits, *size: upsampled(
        logits.softmax(1), *size)), "Softmax came first"),
    (lambda model, image: 2 * assembled(model, image), "Right shape, wrong values"),
    (lambda model, image: None, "got None"),
])
def test_wrong_logits_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_full_size_logits(mistake)
    assert "not yet" in verdict and message in verdict


def our_name(key, changes=()):
    names = checks.TORCHVISION | dict(changes)
    prefix = next(prefix for prefix in names if key.startswith(prefix))
    return names[prefix] + key.removeprefix(prefix)


def test_the_table_of_prefixes_is_correct():
    assert checks.check_our_name(our_name).startswith("Exercise 6.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda key: key, "has no weight of that name"),
    (lambda key: our_name(key, {"convs.1.": "atrous.1."}), "at another rate"),
    (lambda key: our_name(key, {"convs.4.1.": "image_pooling.1."}), "begins with the pooling"),
    (lambda key: our_name(key, {"convs.0.": "project."}), "for another weight"),
    (lambda key: None, "got None"),
])
def test_a_wrong_name_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_our_name(mistake)
    assert "not yet" in verdict and message in verdict


def test_a_check_leaves_the_random_state_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    checks.check_conv_macs(macs)
    checks.check_full_size_logits(assembled)
    checks.check_our_name(our_name)
    assert torch.equal(before, torch.get_rng_state())
