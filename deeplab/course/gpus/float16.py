"""What two bytes keep of a training step's gradients: in float16, and in bfloat16.

In mixed precision the gradient of every map travels back through the network in float16. Here
it is computed in float32, and then asked what the shorter formats would have kept of it.
"""

import copy

import torch
from torch import Tensor, nn

from deeplab.training.recipe import segmentation_loss

SMALLEST = 2.0**-24  # the smallest float16 above 0
LARGEST = 65504.0  # the largest finite one


def map_gradients(model: nn.Module, image: Tensor, label: Tensor, *, pixels: int) -> Tensor:
    """The loss's gradient at the output of every convolution, all of them in one vector.

    `image` is (N, 3, H, W), `label` (N, H, W). The loss is divided so that each pixel weighs as
    in a batch of `pixels` pixels: a mean over more pixels has smaller gradients. The random
    state of PyTorch is left as it was.
    """
    network, maps = copy.deepcopy(model).train(), []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        maps.append(output)

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(keep)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # dropout
        loss = segmentation_loss(network(image), label).total
    (loss * label.numel() / pixels).backward()
    return torch.cat([one.grad.flatten() for one in maps])


def half_shares(gradients: Tensor, scale: float = 1.0,
                kind: torch.dtype = torch.float16) -> tuple[float, float]:
    """Per cent of the gradients above 0 that become 0, and that overflow, in `kind`.

    `scale` multiplies them first, as a `GradScaler` does.

    >>> half_shares(torch.tensor([1e-9, 1e-3, 1e5, 0.0]))[0] < 34
    True
    """
    nonzero = gradients[gradients != 0]
    half = (nonzero * scale).to(kind)
    return (100 * (half == 0).double().mean().item(),
            100 * half.isinf().double().mean().item())


def rounding(gradients: Tensor, scale: float = 1.0, kind: torch.dtype = torch.float16) -> float:
    """The median of how far the gradients above 0 are off in `kind`, in per cent of each.

    >>> round(rounding(torch.tensor([1.0, 1.001, 1.01]), kind=torch.bfloat16), 2)
    0.1
    """
    scaled = gradients[gradients != 0] * scale
    return 100 * ((scaled.to(kind).float() - scaled) / scaled).abs().median().item()
