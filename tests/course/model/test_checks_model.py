"""The checks of lesson 6 pass the right answer and name each usual mistake."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deeplab.course.model import checks
from deeplab.course.model.profiled import Odd, calls, counted
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


def profile(model, image, *, kinds=(nn.Conv2d, nn.Linear), remove=True, evaluate=True, back="each",
            add=True, macs=None, children=False, also_unused=False):
    found, hooks, modes = {}, [], {layer: layer.training for layer in model.modules()}

    def note(name):
        def hook(layer, inputs, output):
            work = (macs or own_macs)(layer, inputs[0], output)
            found[name] = work + (found.get(name, 0) if add else 0)
        return hook

    for name, layer in model.named_children() if children else model.named_modules():
        if isinstance(layer, kinds):
            hooks.append(layer.register_forward_hook(note(name)))
            if also_unused:
                found[name] = 0
    with torch.no_grad():
        (model.eval() if evaluate else model)(image)
    for layer in model.modules() if back == "each" else ():
        layer.training = modes[layer]
    if back == "whole":
        model.train(modes[model])
    for hook in hooks if remove else ():
        hook.remove()
    return found


def own_macs(layer, x, y):
    return y[0].numel() * layer.weight[0].numel()


def test_a_profiler_with_hooks_is_correct():
    state = torch.get_rng_state()
    assert checks.check_profile(profile).startswith("Exercise 6.4: correct.")
    assert torch.equal(torch.get_rng_state(), state)


def test_the_odd_network_is_counted_by_hand():
    found = counted(calls(Odd(), torch.zeros(1, 3, 15, 20)))
    cells = 8 * 10
    assert found == {"stem": cells * 8 * 3 * 9, "body.0": cells * 8 * 2 * 9,
                     "shared": 2 * cells * 8 * 8, "head": 8 * 5}


@pytest.mark.parametrize(("options", "message"), [
    ({"kinds": nn.Conv2d}, "head is missing: Linear. Convolutions and linear layers"),
    ({"children": True}, "body.0 is missing: Conv2d, the network's own name"),
    ({"also_unused": True}, "`unused` is never called"),
    ({"kinds": (nn.Conv2d, nn.Linear, nn.BatchNorm2d)}, "neither a Conv2d nor a Linear"),
    ({"remove": False}, "remove() it"),
    ({"evaluate": False}, "Measure in eval mode"),
    ({"back": ""}, "Put it back"),
    ({"back": "whole"}, "One BatchNorm was frozen"),
    ({"add": False}, "called twice"),
    ({"macs": lambda layer, x, y: y.numel() * layer.weight[0].numel()}, "whole batch of 3"),
    ({"macs": lambda layer, x, y: 2 * own_macs(layer, x, y)}, "flops"),
    ({"macs": lambda layer, x, y: own_macs(layer, x, y) * getattr(layer, "groups", 1)}, "4 groups"),
    ({"macs": lambda layer, x, y: own_macs(layer, x, y) // y[0, 0].numel() * x[0, 0].numel()},
     "cells that come out"),
    ({"macs": lambda layer, x, y: layer.weight.numel()}, "These are weights"),
    ({"macs": lambda layer, x, y: own_macs(layer, x, y) + 1}, "stem: 17,281 are not what one"),
    ({"macs": lambda layer, x, y: layer.bias.numel()}, "raised AttributeError"),
])
def test_a_wrong_profiler_is_told_what_is_wrong(options, message):
    verdict = checks.check_profile(lambda *given: profile(*given, **options))
    assert "not yet" in verdict and message in verdict


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda model, image: None, "Expected a dictionary"),
    (lambda model, image: {model.stem: 1}, "Conv2d is no layer's name"),
    (lambda model, image: {"Conv2d": 1, "Linear": 2}, "Conv2d is no layer's name"),
    (lambda model, image: dict(reversed(profile(model, image).items())), "order of the calls"),
    (lambda model, image: profile(model, image) if isinstance(model, Odd) else {},
     "not a DeepLabV3"),
])
def test_a_profiler_that_gives_something_else_is_told(mistake, message):
    verdict = checks.check_profile(mistake)
    assert "not yet" in verdict and message in verdict
