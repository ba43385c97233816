"""What one image costs: parameters and multiply-adds of each part of a row's network.

Counted by running the network without data (PyTorch's "meta" device), so that the cost of the
full recipe is known on any laptop. One multiply-add (MAC) is
two flops.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deeplab.model.network import build_model
from deeplab.table.config import RunConfig

PARTS = ("backbone", "aspp", "classifier", "aux_classifier")  # the last one in training only


def gmacs_by_part(config: RunConfig) -> dict[str, float]:
    """Billions of multiply-adds of a training step's forward pass per crop, by part.

    Convolutions only: BatchNorm, ReLU and resizing are below one per cent.
    """
    with torch.device("meta"):
        model = build_model(config.row, config.profile.name)
        image = torch.empty(2, 3, *config.crop)  # the pooling branch trains on two or more
    macs = dict.fromkeys(PARTS, 0)

    def count(conv: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        macs[part_of[conv]] += output[0].numel() * conv.weight[0].numel()

    part_of = {module: part for part in PARTS for module in getattr(model, part).modules()
               if isinstance(module, nn.Conv2d)}
    for conv in part_of:
        conv.register_forward_hook(count)
    with torch.no_grad():
        model(image)
    return {part: number / 1e9 for part, number in macs.items()}


def parameters_by_part(config: RunConfig) -> dict[str, int]:
    """Trainable numbers in each part of the network."""
    with torch.device("meta"):
        model = build_model(config.row, config.profile.name)
    return {part: sum(weight.numel() for weight in getattr(model, part).parameters())
            for part in PARTS}
