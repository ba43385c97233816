"""The network of a run: the published table's, or what a cell of the paper's tables asks for.

The paper's networks have the head of its Fig. 5 (256 channels, a 1x1 projection) or a cascade,
and no auxiliary head. They are evaluated at the output stride that their row names. A pyramid
keeps its 256 channels at every profile: narrowed like the backbone, to 32, it learns too slowly
to be compared with a cascade, whose classifier reads all channels of the last block.
"""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from deeplab.model.cascade import CascadedNetwork
from deeplab.model.network import DeepLabV3, build_model, profile_rates
from deeplab.model.weights import load_backbone, stem_of
from deeplab.profiles import get_profile
from deeplab.table.row import PaperRow, Row

Network = DeepLabV3 | CascadedNetwork
CHANNELS, PROJECT_KERNEL = 256, 1  # of the paper's pyramid (Sec. 3.3)


def build_network(row: Row, profile: str, *, stem: str = "v1c") -> Network:
    """The network of `row` at the size of a profile, with random weights.

    Raises `UsageError`: E-PROFILE, and what the networks raise for a cell that cannot be.
    """
    if not isinstance(row, PaperRow):
        return build_model(row, profile, stem=stem)
    size, variant = get_profile(profile), row.variant
    common = {"num_classes": row.num_classes, "depth": int(row.backbone.removeprefix("resnet")),
              "output_stride": row.output_stride, "multi_grid": variant.multi_grid, "stem": stem,
              "width": size.width, "zero_init_residual": not size.pretrained}
    if row.copies is not None:
        return CascadedNetwork(blocks=row.copies, **common)
    kind = DeepLabV3 if variant.train_norm else FrozenNorm
    model = kind(atrous_rates=profile_rates(row, size), channels=round(CHANNELS / size.width),
                 project_kernel=PROJECT_KERNEL, image_level=variant.image_level, **common)
    model.aux_classifier = None
    return model


def started_network(row: Row, profile: str, first: Mapping[str, Tensor] | None) -> Network:
    """The network of `row` whose backbone has the weights `first`; without any all are random.

    Blocks 5 to 7 of a cascade start from block 4's. Raises `CheckpointError` (E-WEIGHTS).
    """
    model = build_network(row, profile, stem=stem_of(first) if first else "v1c")
    if first:
        load_backbone(model, first)
    if isinstance(model, CascadedNetwork):
        model.copy_block4()
    return model


def network_to_evaluate(row: Row, profile: str, model: Network) -> Network:
    """`model` with the weights it has at the output stride at which `row` is evaluated.

    Strides are given up for rates, which changes no weight (Sec. 3.2). It is `model` itself
    where both strides are one.
    """
    stride = row.variant.eval_output_stride
    if stride in (None, row.output_stride):
        return model
    with next(model.parameters()).device:
        other = build_network(replace(row, output_stride=stride), profile,
                              stem=stem_of(model.state_dict(), "backbone."))
    other.load_state_dict(model.state_dict())
    return other.eval()


class FrozenNorm(DeepLabV3):
    """A `DeepLabV3` whose backbone keeps the BatchNorm that it was pretrained with.

    Neither its averages nor its scale and shift are trained; those of the head, which was not
    pretrained, are (Sec. 4.1).
    """

    def train(self, mode: bool = True) -> nn.Module:
        """Set the mode of every layer but the backbone's BatchNorm, which stays in eval mode."""
        super().train(mode)
        for layer in self.backbone.modules():
            if isinstance(layer, _BatchNorm):
                layer.eval().requires_grad_(False)
        return self
