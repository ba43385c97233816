"""Train a copy of a network on one batch until it is learnt by heart, or on a spoilt one.

A network that cannot bring the loss of one batch near zero will not learn a dataset either.
The check takes seconds and needs no second image.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from deeplab.evaluation.upsample import upsampled_argmax
from deeplab.support.void import IGNORE_INDEX
from deeplab.training.recipe import make_optimizer, segmentation_loss

Pair = tuple[Tensor, Tensor]  # image float (N, 3, H, W), label (N, H, W)
Spoil = Callable[[Tensor, Tensor, torch.Generator], Pair]


def swapped(image: Tensor, label: Tensor, generator: torch.Generator) -> Pair:
    """Every image with its neighbour's label, always the same one: a wrong list of files."""
    return image, label.roll(1, 0)


def own_coins(image: Tensor, label: Tensor, generator: torch.Generator) -> Pair:
    """Image and label mirrored at random, each by itself: a flip that was written twice."""
    heads = torch.rand(2, generator=generator) < 0.5
    return image.flip(3) if heads[0] else image, label.flip(2) if heads[1] else label


def overfit(model: nn.Module, image: Tensor, label: Tensor, *, steps: int, lr: float,
            spoil: Spoil | None = None) -> tuple[nn.Module, list[float]]:
    """A copy of `model` trained on one batch over and over, and the main loss before each step.

    The learning rate stays the same, and there is no weight decay: nothing but the batch is to
    be learnt. The random state of PyTorch is left as it was.
    """
    network, losses = copy.deepcopy(model).train(), []
    optimizer = make_optimizer(network, base_lr=lr, weight_decay=0)
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # dropout
        for _ in range(steps):
            seen, taught = spoil(image, label, generator) if spoil else (image, label)
            found = segmentation_loss(network(seen), taught)
            optimizer.zero_grad()
            found.total.backward()
            optimizer.step()
            losses.append(found.main.item())
    return network, losses


def share_right(model: nn.Module, image: Tensor, label: Tensor) -> float:
    """Per cent of the valid pixels that `model` names right, in the mode in which it is."""
    with torch.no_grad():
        prediction = upsampled_argmax(model(image).main, *label.shape[1:])
    valid = label != IGNORE_INDEX
    return 100 * (prediction == label)[valid].double().mean().item()


def with_batch_statistics(model: nn.Module) -> nn.Module:
    """A copy in eval mode, but its BatchNorms normalise by the batch that they are given."""
    network = copy.deepcopy(model).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
            module.momentum = 0  # the running statistics stay as they are
    return network
