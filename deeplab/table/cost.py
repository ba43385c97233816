"""What one image costs: parameters and multiply-adds of each part of a row's network.

Counted by running the network without data (PyTorch's "meta" device), so that the cost of the
full recipe is known on any laptop. One multiply-add (MAC) is two of PyTorch's flops.
"""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from deeplab.model.network import build_model
from deeplab.table.config import RunConfig

PARTS = ("backbone", "aspp", "classifier", "aux_classifier")  # the last one in training only


def gmacs_by_part(config: RunConfig) -> dict[str, float]:
    """Billions of multiply-adds of a forward pass over one training crop, by part.

    Convolutions only: BatchNorm, ReLU and resizing are below one per cent.
    """
    with torch.device("meta"):
        model = build_model(config.row, config.profile.name)
        image = torch.empty(2, 3, *config.crop)  # the pooling branch trains on two or more
    with FlopCounterMode(model, display=False) as counter, torch.no_grad():
        model(image)
    flops = {part: counter.get_flop_counts().get(f"DeepLabV3.{part}", {}) for part in PARTS}
    return {part: sum(counts.values()) / len(image) / 2e9 for part, counts in flops.items()}


def parameters_by_part(config: RunConfig) -> dict[str, int]:
    """Trainable numbers in each part of the network."""
    with torch.device("meta"):
        model = build_model(config.row, config.profile.name)
    return {part: sum(weight.numel() for weight in getattr(model, part).parameters())
            for part in PARTS}
