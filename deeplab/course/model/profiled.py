"""A network with everything that a counter of multiply-adds has to get right, and such a counter.

It has a stride, a rate, groups, a layer that is called twice, one that is never called, one that
is no convolution, and two BatchNorms that must not learn from being counted.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

Counts = dict[str, int]  # multiply-adds of one image, by the name of the layer


class Odd(nn.Module):
    """(N, 3, H, W) gives (N, 5), by layers that are easily counted wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4),
                                  nn.BatchNorm2d(8), nn.ReLU())
        self.shared, self.norm = nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)
        self.unused = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> Tensor:
        """Scores of 5 classes for each image."""
        x = self.body(self.stem(image))
        x = self.norm(self.shared(self.shared(x)))
        return self.head(x.mean((2, 3)))


class Call(NamedTuple):
    """One layer at work: its name, itself, and the shapes that went in and came out."""

    name: str
    layer: nn.Module
    shape_in: torch.Size
    shape_out: torch.Size

    @property
    def macs(self) -> int:
        """Multiply-adds of one image: each number that comes out sums one row of weights."""
        return self.shape_out[1:].numel() * self.layer.weight[0].numel()


def calls(model: nn.Module, image: Tensor) -> list[Call]:
    """The calls of convolutions and linear layers in one pass; the model stays as it was."""
    found: list[Call] = []

    def noting(name: str) -> Callable:
        return lambda layer, inputs, output: found.append(
            Call(name, layer, inputs[0].shape, output.shape))

    modes = {layer: layer.training for layer in model.modules()}
    hooks = [layer.register_forward_hook(noting(name)) for name, layer in model.named_modules()
             if isinstance(layer, nn.Conv2d | nn.Linear)]
    try:
        with torch.no_grad():
            model.eval()(image)
    finally:
        for layer, is_training in modes.items():
            layer.training = is_training
        for hook in hooks:
            hook.remove()
    return found


def counted(found: list[Call], macs: Callable[[Call], int] = lambda call: call.macs) -> Counts:
    """The calls summed by name, in the order of the first call."""
    total: Counts = {}
    for call in found:
        total[call.name] = total.get(call.name, 0) + macs(call)
    return total


def wrong_counts(found: list[Call], images: int) -> Iterator[tuple[Counts, str]]:
    """What the usual mistakes count, and the sentence for each."""
    yield ({call.name: call.macs for call in found},
           "`shared` is called twice in a pass and works twice. Add to what is there.")
    yield (counted(found, lambda call: images * call.macs),
           f"These are the multiply-adds of the whole batch of {images}; one image is asked for.")
    yield (counted(found, lambda call: 2 * call.macs),
           "Those are flops; a multiply-add counts once here.")
    yield (counted(found, lambda call: call.macs * getattr(call.layer, "groups", 1)),
           "body.0 has 4 groups: each output reads 2 of its 8 channels. How many weights has "
           "one output channel?")
    yield (counted(found, lambda call: call.macs // call.shape_out[2:].numel()
                   * call.shape_in[2:].numel()),
           "The stem has stride 2. Count the cells that come out, not those that go in.")
    yield (counted(found, lambda call: call.layer.weight.numel()),
           "These are weights; each is used at every cell that comes out.")
    yield (counted(found, lambda call: call.macs + call.shape_out[1:].numel()
                   * (call.layer.bias is not None)),
           "A bias is added and multiplies nothing.")
