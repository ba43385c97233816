"""Parameters of each piece of a row's network, and how often an image uses each of them.

The finer view of `deeplab.planning.cost`: the stages of the backbone and the branches of ASPP
one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deeplab.model.network import DeepLabV3
from deeplab.planning.cost import meta_model
from deeplab.runs.config import RunConfig


@dataclass
class Piece:
    """One piece of a network, and its share in a forward pass over one image."""

    parameters: int
    weights: int  # of its convolutions: parameters without BatchNorm's and biases
    macs: int = 0  # multiply-adds

    @property
    def uses(self) -> float:
        """How often a weight is used, on average: the output cells of its convolution."""
        return self.macs / self.weights


def pieces(row_id: str, *, height: int, width: int) -> dict[str, Piece]:
    """The pieces of a row's full network on an image of (height, width) pixels, in order.

    Nothing is computed: the network lies on PyTorch's "meta" device, which knows shapes only.
    """
    model = meta_model(RunConfig.of(row_id=row_id, profile="full")).eval()
    modules = piece_modules(model)
    found = {name: Piece(sum(weight.numel() for weight in group.parameters()),
                         sum(conv.weight.numel() for conv in _convolutions(group)))
             for name, group in modules.items()}
    owner = {conv: found[name] for name, group in modules.items() for conv in _convolutions(group)}

    def count(conv: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        owner[conv].macs += output[0, 0].numel() * conv.weight.numel()

    for conv in owner:  # the model is ours alone, so that the hooks need no removing
        conv.register_forward_hook(count)
    with torch.no_grad():
        stages = model.backbone(torch.empty(1, 3, height, width, device="meta"))
        model.classifier(model.aspp(stages.conv5))
        model.aux_classifier(stages.conv4)
    return found


def piece_modules(model: DeepLabV3) -> dict[str, nn.Module]:
    """The modules of a network with the v1c stem by the name of their piece, input to output."""
    backbone, aspp = model.backbone, model.aspp
    return {"stem": backbone.stem, "conv2": backbone.layer1, "conv3": backbone.layer2,
            "conv4": backbone.layer3, "conv5": backbone.layer4, "ASPP, 1x1": aspp.point,
            "ASPP, three rates": aspp.atrous, "ASPP, image level": aspp.image_pooling,
            "ASPP, projection": aspp.project, "classifier": model.classifier,
            "auxiliary head": model.aux_classifier}


def _convolutions(group: nn.Module) -> list[nn.Conv2d]:
    return [module for module in group.modules() if isinstance(module, nn.Conv2d)]
