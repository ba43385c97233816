"""Pretrain the demo's backbones on drawn portraits: a miniature ImageNet.

The published rows start from a ResNet trained to name 1.3 million photographs. The demo rows
do the same in small: at output stride 32 and the demo's width a ResNet learns to name single
drawn things and stuffs, and every demo row of that depth then starts from it, dilated to the
row's output stride. The weights are shipped with the package (a few megabytes); to make them
again, and then correct their digests in `deeplab.weights.shipped`::

    python -m deeplab.miniature.backbone resnet50
    python -m deeplab.miniature.backbone resnet101
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab.data.augment import normalize, to_tensor
from deeplab.data.distortion import draw_distortion, photometric_distortion
from deeplab.miniature.drawing import vocabulary
from deeplab.miniature.scenes import portrait
from deeplab.model.backbone import ResNet
from deeplab.profiles import PROFILES
from deeplab.training.recipe import poly_lr
from deeplab.weights.files import save_weights
from deeplab.weights.shipped import read_shipped

SIZE = 64  # pixels; two cells at output stride 32
BATCH = 48  # portraits of a step
BASE_LR = 0.1  # poly, as in the recipe
WEIGHT_DECAY = 1e-4
TEST_BATCHES = 10  # of portraits that were not trained on
SHIPPED = Path(__file__).parent / "pretrained"


def pretrain(depth: int, *, steps: int, seed: int = 0) -> tuple[ResNet, float]:
    """A ResNet of `depth` trained for `steps`, and its accuracy on unseen portraits (0..1)."""
    torch.manual_seed(seed)
    kinds = list(vocabulary()["looks"])
    backbone = ResNet(depth=depth, output_stride=32, width=PROFILES["demo"].width,
                      zero_init_residual=True)
    channels = backbone.layer4[-1].bn3.num_features
    model = nn.ModuleDict({"backbone": backbone, "classifier": nn.Linear(channels, len(kinds))})
    optimizer = torch.optim.SGD(model.parameters(), lr=BASE_LR, momentum=0.9,
                                weight_decay=WEIGHT_DECAY)

    def logits(image: Tensor) -> Tensor:
        return model["classifier"](model["backbone"](image).conv5.mean((2, 3)))

    for step in range(steps):
        optimizer.param_groups[0]["lr"] = poly_lr(step, base_lr=BASE_LR, total_steps=steps)
        image, target = batch(kinds, np.random.default_rng([seed, 2, step]))
        loss = F.cross_entropy(logits(image), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % 100 == 99:
            print(f"step {step + 1} of {steps}  loss {loss.item():.3f}", flush=True)
    model.eval()
    with torch.inference_mode():
        right = [(logits(image).argmax(1) == target).double().mean().item()
                 for image, target in (batch(kinds, np.random.default_rng([seed, 3, number]))
                                       for number in range(TEST_BATCHES))]
    return backbone, sum(right) / len(right)


def batch(kinds: list[str], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Portraits, float (BATCH, 3, SIZE, SIZE), and the index of the kind of each."""
    target = rng.integers(len(kinds), size=BATCH)
    images = [photometric_distortion(portrait(kinds[index], SIZE, rng), draw_distortion(rng))
              for index in target]
    return (torch.stack([to_tensor(normalize(image)) for image in images]),
            torch.from_numpy(target))


def miniature_backbone(name: str) -> dict[str, Tensor]:
    """The shipped weights, float32, of the demo's "resnet50" or "resnet101"."""
    weights = read_shipped(SHIPPED / f"miniature_{name}.safetensors").tensors
    return {key: value.float() if value.is_floating_point() else value
            for key, value in weights.items()}


def main(backbone: str, steps: str = "4000", folder: str = "") -> None:
    """Pretrain `backbone` ("resnet50" or "resnet101") and write its weights."""
    network, accuracy = pretrain(int(backbone.removeprefix("resnet")), steps=int(steps))
    half = {key: value.half() if value.is_floating_point() else value
            for key, value in network.state_dict().items()}
    path = Path(folder or SHIPPED) / f"miniature_{backbone}.safetensors"
    save_weights(path, half, row_id=f"pretrained on portraits, accuracy {accuracy:.3f}",
                 profile="demo")
    print(f"accuracy {accuracy:.3f} over {len(vocabulary()['looks'])} kinds; wrote {path.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
