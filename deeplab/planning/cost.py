"""What one image costs: parameters and multiply-adds of each part of a row's network.

Counted by running the network without data (PyTorch's "meta" device), so that the cost of the
full recipe is known on any laptop. One multiply-add (MAC) is two flops. Convolutions only:
BatchNorm, ReLU and resizing are below one per cent.
"""

import functools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deeplab.data.resample import resized_size
from deeplab.evaluation.inference import window_slices
from deeplab.runs.config import RunConfig
from deeplab.runs.network import Network, build_network, network_to_evaluate

PARTS = ("backbone", "aspp", "classifier", "aux_classifier")  # the last one in training only
PHOTO = (375, 500)  # height, width of most pictures in VOC and Context; ADE20k's are 4:3 as well
FRAMES = {"cityscapes": (1024, 2048)}  # datasets of one fixed size, height x width


@dataclass(frozen=True)
class ModelCost:
    """Parameters and forward MACs of a run's network, by part, each counted on first use.

    A training step takes three forwards.
    """

    config: RunConfig

    @functools.cached_property
    def model(self) -> Network:
        """The network without memory for its weights."""
        return meta_model(self.config)

    @functools.cached_property
    def parameters(self) -> dict[str, int]:
        """Trainable numbers."""
        return {part: sum(weight.numel() for weight in module.parameters())
                for part, module in self.model.named_children()}

    @functools.cached_property
    def train_macs(self) -> dict[str, int]:
        """MACs for one training crop of the run's profile."""
        height, width = self.config.crop
        return count_macs(self.model, height=height, width=width)

    @functools.cached_property
    def eval_macs(self) -> dict[str, int]:
        """MACs for one evaluation image of the usual size, all its windows."""
        config, macs = self.config, Counter()
        model = network_to_evaluate(config.row, config.profile.name, self.model)
        for (height, width), number in Counter(eval_windows(config)).items():
            counted = count_macs(model, height=height, width=width)
            macs.update({part: number * counted[part] for part in counted if part != PARTS[-1]})
        return dict(macs)


@functools.cache
def model_cost(config: RunConfig) -> ModelCost:
    """The cost of the network of a run, counted once per process."""
    return ModelCost(config)


def meta_model(config: RunConfig) -> Network:
    """The network of a run without memory for its weights."""
    with torch.device("meta"):
        return build_network(config.row, config.profile.name)


def count_macs(model: Network, *, height: int, width: int) -> dict[str, int]:
    """MACs by part of a forward pass over one image, the auxiliary head included."""
    macs = conv_macs(model, height=height, width=width)
    return {part: module_macs(module, macs) for part, module in model.named_children()}


def module_macs(module: nn.Module, macs: Mapping[nn.Module, int]) -> int:
    """The MACs of all convolutions in a module, of those that `conv_macs` counted."""
    return sum(macs.get(layer, 0) for layer in module.modules())


def conv_macs(model: Network, *, height: int, width: int) -> dict[nn.Module, int]:
    """MACs by convolution of a forward pass over one image, the auxiliary head included.

    `model` lies on the meta device; it is left in eval mode, for a single image cannot train
    the image-level branch.
    """
    macs: Counter[nn.Module] = Counter()

    def count(conv: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        macs[conv] += output.numel() * conv.weight[0].numel()

    image = torch.empty(1, 3, height, width, device="meta")
    with torch.no_grad():
        conv4 = model.eval().backbone(image).conv4
    hooks = [module.register_forward_hook(count) for module in model.modules()
             if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        model(image)
        if "aux_classifier" in dict(model.named_children()):
            model.aux_classifier(conv4)
    for hook in hooks:
        hook.remove()
    return macs


def eval_windows(config: RunConfig) -> list[tuple[int, int]]:
    """(height, width) of each view that the network gets of one evaluation image."""
    height, width = resized_size(*FRAMES.get(config.row.dataset, PHOTO), target=config.resize)
    inference = config.inference
    if inference.mode == "whole":
        return [(int(height * scale), int(width * scale)) for scale in inference.scales
                for _ in range(1 + inference.flip)]
    rows, columns = (window_slices(side, window=window, stride=stride) for side, window, stride
                     in zip((height, width), inference.window, inference.stride, strict=True))
    return [(row.stop - row.start, column.stop - column.start)
            for row in rows for column in columns]


def inference_gmacs(config: RunConfig) -> float:
    """Billions of multiply-adds for one crop in eval mode: all parts but the auxiliary head."""
    macs = model_cost(config).train_macs
    return sum(count / 1e9 for part, count in macs.items() if part != PARTS[-1])
