"""Parameters of each piece of a row's network, and how often an image uses each of them.

The finer view of `deeplab.planning.cost`: the stages of the backbone and the branches of ASPP
one by one.
"""

from dataclasses import dataclass

from torch import nn

from deeplab.model.network import DeepLabV3
from deeplab.planning.cost import conv_macs, meta_model, module_macs
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
    model = meta_model(RunConfig.of(row_id=row_id, profile="full"))
    macs = conv_macs(model, height=height, width=width)
    return {name: Piece(sum(weight.numel() for weight in group.parameters()),
                        sum(conv.weight.numel() for conv in group.modules() if conv in macs),
                        module_macs(group, macs))
            for name, group in piece_modules(model).items()}


def piece_modules(model: DeepLabV3) -> dict[str, nn.Module]:
    """The modules of a network with the v1c stem by the name of their piece, input to output."""
    backbone, aspp = model.backbone, model.aspp
    return {"stem": backbone.stem, "conv2": backbone.layer1, "conv3": backbone.layer2,
            "conv4": backbone.layer3, "conv5": backbone.layer4, "ASPP, 1x1": aspp.point,
            "ASPP, three rates": aspp.atrous, "ASPP, image level": aspp.image_pooling,
            "ASPP, projection": aspp.project, "classifier": model.classifier,
            "auxiliary head": model.aux_classifier}
