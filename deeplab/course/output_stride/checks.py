"""Checks of lesson 3: strides and rates, rate 2 from rate 1, one label per cell, a ResNet-18."""

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet18

from deeplab.course.exercise import SeenCalls, exercise, judged
from deeplab.model.backbone import stage_plan

STEM = 4  # pixels per cell before conv2
CLOSE = 1e-4  # of the largest value of a map, between maps that are to agree


@exercise("3.1", "Every stride given up doubles the rate of what follows.")
def check_stage_plan(attempt: Callable[[int], list[tuple[int, int]]]) -> str | None:
    """Compare `attempt(output_stride)` with `stage_plan` at 32, 16 and 8."""
    for output_stride in (32, 16, 8):
        got, wanted = attempt(output_stride), stage_plan(output_stride)
        if got is None or len(got) != 4 or any(len(pair) != 2 for pair in got):
            return f"Expected four pairs (stride, rate), conv2 to conv5; got {got}."
        strides, rates = ([int(value) for value in values] for values in zip(*got, strict=True))
        reached = STEM * int(np.prod(strides))
        if reached != output_stride:
            return (f"Output stride {output_stride}: your strides {strides} and the stem's "
                    f"{STEM} make {reached} pixels per cell.")
        if strides != [stride for stride, _ in wanted]:
            return (f"Output stride {output_stride}: strides {strides} reach the right size, but "
                    "the pretrained network halves in conv3 first; give up the last ones.")
        if set(rates) == {1} and output_stride < 32:
            return (f"Output stride {output_stride}: all your rates are 1. What has happened to "
                    "the pixels between two taps of conv5?")
        if rates != [rate for _, rate in wanted]:
            return (f"Output stride {output_stride}: rates {rates}. Count, for each stage, the "
                    "strides given up so far, its own included; each doubles the rate.")
    return None


@exercise("3.2", "Four ordinary convolutions, interleaved, are one of rate 2.")
def check_rate_2(attempt: Callable[[Tensor, Tensor], Tensor]) -> str | None:
    """Compare `attempt(x, kernel)` with PyTorch's convolution at rate 2, padded with zeros."""
    generator = torch.Generator().manual_seed(0)
    kernel = torch.randn(1, 1, 3, 3, generator=generator)
    for height, width in ((8, 8), (7, 10)):
        x = torch.randn(1, 1, height, width, generator=generator)
        with SeenCalls() as seen:
            got = attempt(x.clone(), kernel)
        if seen.dilated:
            return ("That asks PyTorch for rate 2. Use ordinary convolutions only, without "
                    "`dilation`, on every second row and column.")
        wanted = F.conv2d(x, kernel, padding=2, dilation=2)
        if got is None or got.shape != wanted.shape:
            return (f"A map of {height} x {width} must keep its size; got "
                    f"{None if got is None else tuple(got.shape)}.")
        if torch.allclose(got, wanted, atol=1e-5):
            continue
        if torch.allclose(got, F.conv2d(x, kernel, padding=1), atol=1e-5):
            return "That is rate 1: the taps stand on neighbours of x, not on every other cell."
        phases = [(row, column) for row in (0, 1) for column in (0, 1) if torch.allclose(
            got[..., row::2, column::2], wanted[..., row::2, column::2], atol=1e-5)]
        return (f"Of the four phases (first row, first column), {phases or 'none'} came out "
                "right. Does each go back to the rows and columns it was taken from?")
    return None


@exercise("3.3", "The middle of each cell speaks for all of it.")
def check_share_kept(attempt: Callable[[np.ndarray, int], float]) -> Iterator[str | None]:
    """Compare `attempt(label, output_stride)` on drawn labels with void in them."""
    rng = np.random.default_rng(0)
    for output_stride in (2, 4, 8):
        blocks = rng.choice(np.array([0, 0, 3, 7, 255], np.uint8), (16, 24))
        label = blocks.repeat(2, 0).repeat(2, 1)
        got = attempt(label.copy(), output_stride)
        wanted, others = _shares_kept(label, output_stride)
        if got is None or np.ndim(got) != 0:
            yield f"Expected one number between 0 and 1; got {got!r}."
        yield judged(got, wanted, others, f"got {float(got):.3f}, expected {wanted:.3f}. Which "
                     "pixel speaks for a cell, and which pixels are compared with it?",
                     case=f"Output stride {output_stride}: ", near=1e-5)


def _shares_kept(label: np.ndarray, output_stride: int) -> tuple[float, list[tuple[float, str]]]:
    """The right answer, and the answers of usual mistakes, each with a sentence."""
    def spread(start: int) -> np.ndarray:
        cells = label[start::output_stride, start::output_stride]
        return cells.repeat(output_stride, 0).repeat(output_stride, 1)

    middle = spread(output_stride // 2)
    counted = label != 255
    right = middle == label
    return float(right[counted].mean()), [
        (100 * float(right[counted].mean()), "a share, not per cent: between 0 and 1."),
        (float(right.mean()), "void (255) is counted; leave those pixels out."),
        (float((right & counted).mean()), "divide by the pixels that count, not by all."),
        (float((spread(0) == label)[counted].mean()),
         "that is the top left corner of each cell; take the pixel at its middle."),
        (float((spread(output_stride - 1) == label)[counted].mean()),
         "that is the bottom right corner of each cell; take the pixel at its middle."),
        (float(right[counted & (middle != 255)].mean()), "you left out the cells whose middle is "
         "void. Their other pixels count too, and are lost."),
        (1 - float(right[counted].mean()), "that is the share that is lost."),
    ]


@exercise("3.4", "The same weights on four times the rows and columns, and no weight learnt again.")
def check_stride_8(attempt: Callable[[nn.Module], nn.Module]) -> Iterator[str | None]:
    """Compare the stages of `attempt(resnet18)` with the untouched network at shared cells."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = resnet18(weights=None).eval()
        image = torch.randn(1, 3, 96, 64)
    given = copy.deepcopy(network)
    got = attempt(given)
    if not isinstance(got, nn.Module) or not hasattr(got, "layer4"):
        yield (f"Expected the network with its strides and rates changed; got "
               f"{type(got).__name__}. Does your function return it?")
    weights, others = network.state_dict(), got.state_dict()
    if weights.keys() != others.keys() or not all(
            torch.equal(weights[key], others[key]) for key in weights):
        yield ("The weights have changed. Change `stride`, `dilation` and `padding` of the layers "
               "that are there instead of making new ones.")
    try:
        with torch.inference_mode():
            wanted, maps = _resnet_stages(network, image), _resnet_stages(got.eval(), image)
    except RuntimeError:
        yield ("A block cannot add its two ways: they have different sizes. The shortcut of a "
               "first block, `downsample`, has the stride as well; and at each rate the padding "
               "must equal the rate.")
    for name, stride in (("layer1", 4), ("layer2", 8), ("layer3", 8), ("layer4", 8)):
        size = tuple(-(-side // stride) for side in image.shape[2:])
        if maps[name].shape[2:] != size and maps[name].shape == wanted[name].shape:
            yield (f"{name} has the cells of the untouched network. In its first block `conv1` and "
                   "`downsample` have a stride of 2: give it up.")
        if maps[name].shape[2:] != size:
            yield (f"{name} has {' x '.join(map(str, maps[name].shape[2:]))} cells for "
                   f"{image.shape[2]} x {image.shape[3]} pixels; at {stride} pixels per cell it "
                   f"has {' x '.join(map(str, size))}. Is each padding as large as its rate?")
        step = wanted[name].shape[2] and maps[name].shape[2] // wanted[name].shape[2]
        shared = maps[name][..., ::step, ::step]
        if (shared - wanted[name]).abs().max() > CLOSE * wanted[name].abs().max():
            yield _why_not_equal(got, name)


def _resnet_stages(network: nn.Module, image: Tensor) -> dict[str, Tensor]:
    """The maps after each of the four stages of torchvision's ResNet, by name."""
    x = network.maxpool(network.relu(network.bn1(network.conv1(image))))
    maps = {}
    for name in ("layer1", "layer2", "layer3", "layer4"):
        x = maps[name] = getattr(network, name)(x)
    return maps


def _why_not_equal(network: nn.Module, name: str) -> str:
    """Why a stage of the changed network may not agree with the untouched one."""
    rates = [layer.dilation[0] for block in getattr(network, name) for layer in
             (block.conv1, block.conv2)]
    text = f"{name} has rates {rates} and differs from the untouched network at shared cells. "
    before = {"layer3": 1, "layer4": 2}.get(name, 1)
    if set(rates) == {1}:
        return text + "With all rates 1 its taps stand on neighbours: the naive cure."
    if rates[0] == 2 * before:
        return text + ("Its very first convolution still reads the map from before the stride, "
                       "and so keeps the rate of the stage before.")
    return text + ("What is the distance between two taps, in cells of the map that each "
                   "convolution reads?")
