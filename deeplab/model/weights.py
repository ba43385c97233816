"""Convert a state dict between three naming schemes, by key and shape, both ways.

SSSegmentation, mmsegmentation and this package hold the same tensors under other names;
one table per scheme says which. mmsegmentation also concatenates the pooled branch of ASPP
first and not last, which no key and no shape shows: forget it, and everything loads and
every prediction is wrong.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from deeplab.model.backbone import scaled_channels
from deeplab.model.network import DeepLabV3, ModelRow, build_model
from deeplab.profiles import get_profile
from deeplab.support.errors import CheckpointError

PROJECT = "aspp.project.0.weight"  # (c_out, 5 c_out, 3, 3): its input is the concatenation
AUX = "aux_classifier.0.weight"
AUX_CHANNELS = (512, 256)  # SSSegmentation's and ours; mmsegmentation's
WRAPPERS = ("state_dict", "model", "model_state", "model_state_dict", "network", "net", "weights",
            "ema_state_dict", "state_dict_ema", "model_ema")  # outer keys of training programs
PREFIXES = ("module.", "model.", "_orig_mod.")  # of DataParallel, Lightning, torch.compile
COUNTED = "n_averaged"  # how many models torch.optim.swa_utils has averaged
LISTED = 10  # keys named in an error, at most; the rest is counted

# {their prefix: our prefix}; ssseg/modules/models/segmentors/deeplabv3/{aspp,deeplabv3}.py
SSSEGMENTATION = {
    "backbone_net.": "backbone.",
    "aspp_net.parallel_branches.0.": "aspp.point.",
    "aspp_net.parallel_branches.1.": "aspp.atrous.0.",
    "aspp_net.parallel_branches.2.": "aspp.atrous.1.",
    "aspp_net.parallel_branches.3.": "aspp.atrous.2.",
    "aspp_net.global_branch.1.": "aspp.image_pooling.0.",
    "aspp_net.global_branch.2.": "aspp.image_pooling.1.",
    "aspp_net.bottleneck.": "aspp.project.",
    "decoder.": "classifier.",
    "auxiliary_decoder.": "aux_classifier.",
}
# mmseg/models/decode_heads/{aspp_head,fcn_head}.py; a ConvModule is `conv` and `bn`
MMSEGMENTATION = {"backbone.": "backbone."} | {
    f"{theirs}.{part}.": f"{ours}.{index}."
    for theirs, ours in {
        "decode_head.aspp_modules.0": "aspp.point",
        "decode_head.aspp_modules.1": "aspp.atrous.0",
        "decode_head.aspp_modules.2": "aspp.atrous.1",
        "decode_head.aspp_modules.3": "aspp.atrous.2",
        "decode_head.image_pool.1": "aspp.image_pooling",
        "decode_head.bottleneck": "aspp.project",
        "auxiliary_head.convs.0": "aux_classifier",
    }.items() for index, part in enumerate(("conv", "bn"))
} | {"decode_head.conv_seg.": "classifier.1.", "auxiliary_head.conv_seg.": "aux_classifier.4."}

# this package, before branches had the field's names
EARLIER = {"aspp.image.": "aspp.image_pooling.", "aspp.fusion.": "aspp.project."}


def convert(state_dict: Mapping[str, Any], row: ModelRow, profile: str = "full",
            ) -> dict[str, Tensor]:
    """Weights of any of the three schemes under our names, complete and of the row's shapes.

    A wrapper (`model`, `state_dict`) and a `module.` prefix are removed. An auxiliary head
    of 256 channels and a 7x7 stem are accepted, see `model_for`. Raises `CheckpointError`
    (E-WEIGHTS) that lists missing, unexpected and misshapen keys; nothing is ever skipped.
    """
    return _converted(state_dict, row, profile)[0]


def to_sssegmentation(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our weights under SSSegmentation's names."""
    return _rename(state_dict, {ours: theirs for theirs, ours in SSSEGMENTATION.items()})


def to_mmsegmentation(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our weights under mmsegmentation's names, the pooled branch first in the projection."""
    rolled = {**state_dict, PROJECT: _roll_branches(state_dict[PROJECT], 1)}
    return _rename(rolled, {ours: theirs for theirs, ours in MMSEGMENTATION.items()})


def model_for(state_dict: Mapping[str, Any], row: ModelRow, profile: str = "full") -> DeepLabV3:
    """The row's network with these weights in it, in eval mode.

    Built with the stem and the auxiliary width that the weights have: mmsegmentation's
    heads have 256 auxiliary channels, a run started from torchvision a 7x7 stem.
    Raises `CheckpointError` (E-WEIGHTS) as `convert` does.
    """
    weights, model = _converted(state_dict, row, profile)
    model.to_empty(device="cpu").load_state_dict(weights)
    return model.eval()


def unwrap(content: Any, *, file: object = None) -> dict[str, Tensor]:
    """The flat state dict inside `content`, without what training programs wrap around it.

    That is an outer key of `WRAPPERS`, a prefix of `PREFIXES` that all keys share, and the
    counter of an averaged model. Raises `CheckpointError` (E-WEIGHTS) if there is none.
    """
    inner = content
    if isinstance(content, dict):
        inner = next((content[name] for name in WRAPPERS if isinstance(content.get(name), dict)),
                     content)
    if not isinstance(inner, dict) or not inner or not all(
            isinstance(key, str) and isinstance(value, Tensor) for key, value in inner.items()):
        found = [str(key)[:60] for key in list(inner)[:5]] if isinstance(inner, dict) else (
            type(inner).__name__)
        raise CheckpointError.of("E-WEIGHTS", "there are no weights in this file", file=file,
                                 found=found, expected="a dictionary of named tensors, or one "
                                 f"below {', '.join(WRAPPERS[:4])}",
                                 do="give a model's weights, or take them out of a training "
                                    "checkpoint with: deeplab weights extract")
    weights = {key: value for key, value in inner.items() if key != COUNTED}
    while prefix := next((prefix for prefix in PREFIXES if weights and all(
            key.startswith(prefix) for key in weights)), None):
        weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    return weights


def load_backbone(model: DeepLabV3, state_dict: Mapping[str, Any]) -> None:
    """Put ImageNet weights into `model.backbone`; their classifier `fc.*` is left out.

    Takes torchvision's files for the 7x7 stem and the v1c files for the v1c stem. BatchNorm's
    counters, which nothing uses and files of before 2018 do not have, may be missing. Raises
    `CheckpointError` (E-WEIGHTS) if the stem is the other one or anything does not fit.
    """
    counters = {key: value for key, value in model.backbone.state_dict().items()
                if key.endswith("num_batches_tracked")}
    weights = counters | {key: value for key, value in unwrap(state_dict).items()
                          if not key.startswith("fc.")}
    has, wants = stem_of(weights), stem_of(model.backbone.state_dict())
    if has != wants:
        raise CheckpointError.of("E-WEIGHTS", "the weights have another stem than the network",
                                 found=f"{has} stem", expected=f"{wants} stem",
                                 do=f'build the network with stem="{has}"')
    check_inventory(weights, model.backbone, owner="the backbone")
    model.backbone.load_state_dict(weights)


def check_inventory(weights: Mapping[str, Tensor], module: nn.Module, *, owner: str) -> None:
    """Raise `CheckpointError` (E-WEIGHTS) unless keys and shapes are exactly the module's."""
    expected = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    missing = [f"missing {key} {expected[key]}" for key in expected if key not in found]
    surplus = [f"unexpected {key} {found[key]}" for key in found if key not in expected]
    misshapen = [f"{key} {found[key]}, expected {expected[key]}" for key in found
                 if key in expected and found[key] != expected[key]]
    wrong = missing + surplus + misshapen
    if not wrong:
        return
    more = [f"and {len(wrong) - LISTED} more"] if len(wrong) > LISTED else []
    raise CheckpointError.of(
        "E-WEIGHTS", f"the weights do not fit {owner}: {len(missing)} keys missing, "
        f"{len(surplus)} unexpected, {len(misshapen)} of another shape",
        found="\n    ".join(["", *wrong[:LISTED], *more]),
        do="choose the row and profile these weights were trained for")


def _converted(state_dict: Mapping[str, Any], row: ModelRow, profile: str,
               ) -> tuple[dict[str, Tensor], DeepLabV3]:
    """The converted weights and the empty network that they fit."""
    weights = unwrap(state_dict)
    pooled_first = any(key.startswith("decode_head.") for key in weights)
    if any(key.startswith("backbone_net.") for key in weights):
        weights = _rename(weights, SSSEGMENTATION)
    elif pooled_first:
        weights = _rename(weights, MMSEGMENTATION)
    elif not any(key.startswith("aspp.") for key in weights):
        raise CheckpointError.of(
            "E-WEIGHTS", f"not the weights of a DeepLabV3 that fits row {row.row_id}",
            found=", ".join(list(weights)[:5]),
            expected="keys of SSSegmentation (backbone_net., aspp_net., ...), mmsegmentation "
                     "(decode_head., ...) or this package (aspp., ...)",
            do="ImageNet weights go into the backbone alone: load_backbone")
    elif any(key.startswith(tuple(EARLIER)) for key in weights):
        weights = _rename(weights, EARLIER)
    model = _empty_model(weights, row, profile)
    check_inventory(weights, model, owner=f"row {row.row_id}")
    if pooled_first:
        weights[PROJECT] = _roll_branches(weights[PROJECT], -1)
    return weights, model


def _rename(weights: Mapping[str, Tensor], prefixes: dict[str, str]) -> dict[str, Tensor]:
    """Replace each key's prefix; a key without a known one keeps its name, to be reported."""
    renamed = {}
    for key, value in weights.items():
        prefix = next((prefix for prefix in prefixes if key.startswith(prefix)), "")
        name = prefixes.get(prefix, "") + key.removeprefix(prefix)
        if name in renamed:
            raise CheckpointError.of("E-WEIGHTS", "two keys stand for the same weight", found=key,
                                     expected=f"one key for {name}",
                                     do="give the weights of one model only")
        renamed[name] = value
    return renamed


def _roll_branches(projection: Tensor, blocks: int) -> Tensor:
    """Roll the projection's input channels by whole branches; 1 brings the last one first."""
    return projection.roll(blocks * projection.shape[0], dims=1)


def stem_of(weights: Mapping[str, Tensor], prefix: str = "") -> str:
    """The stem that backbone weights belong to: "7x7" or "v1c"."""
    return "7x7" if f"{prefix}conv1.weight" in weights else "v1c"


def _empty_model(weights: Mapping[str, Tensor], row: ModelRow, profile: str) -> DeepLabV3:
    """The network these weights ask for, on the meta device: shapes without memory."""
    width = get_profile(profile).width
    known = {scaled_channels(channels, width): channels for channels in AUX_CHANNELS}
    found = next(iter(weights[AUX].shape), None) if AUX in weights else None
    with torch.device("meta"):
        return build_model(row, profile, stem=stem_of(weights, "backbone."),
                           aux_channels=known.get(found, AUX_CHANNELS[0]))
