"""The same logits with less work: the network of `network`, rearranged for inference.

Nothing is approximated. BatchNorm's constants go into the weights, the pooled branch is not
convolved where it is constant, and products with padding are not computed; only the order of
sums changes, so that logits agree to about 1e-5.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_weights

from deeplab.model.backbone import Bottleneck, ResNet
from deeplab.model.network import DeepLabV3, Logits, check_image

TYPICAL_SIDE = 512  # pixels; oneDNN arranges weights for one size, and rearranges for others


def optimize_for_inference(model: DeepLabV3, *, compile: bool = False) -> nn.Module:
    """A frozen copy of `model`, on its device, that gives the logits of its eval mode faster.

    `model` itself stays as it is, and later changes to it do not reach the copy. With
    `compile` the copy goes through `torch.compile`, which takes minutes at the first image
    and on a CPU needs a C++ compiler; it pays for thousands of images.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    with torch.no_grad():
        pack = on_cpu and can_pack() and not compile
        fused = FusedDeepLabV3(model, side=TYPICAL_SIDE if pack else None).eval()
    return torch.compile(fused, dynamic=True) if compile else fused


def can_pack() -> bool:
    """Whether this PyTorch has oneDNN's convolution that also adds and rectifies."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn,
                                                            "_convolution_pointwise")


class FusedConv(nn.Module):
    """A convolution and what follows it in one go: a sum, a ReLU.

    Maps lie in channels-last memory, which the kernels of CPUs and GPUs read as it is. With
    `side`, the cells of a usual map's side, the weights are kept in oneDNN's own order, for
    CPUs only; its kernels leave out taps on padding: at rate 36 on a map of 64 x 64 cells, 6 of
    10. None keeps PyTorch's order.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, like: nn.Conv2d, side: int | None):
        super().__init__()
        self.geometry = like.padding, like.stride, like.dilation, like.groups
        self.pack = side is not None
        weight = weight.detach().contiguous(memory_format=torch.channels_last)
        if side is not None:
            weight = torch.ops.mkldnn._reorder_convolution_weight(
                weight, *self.geometry, (1, weight.shape[1], side, side))
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias.detach().clone(), persistent=False)

    @classmethod
    def of(cls, conv: nn.Conv2d, norm: nn.Module | None = None, *, side: int | None) -> FusedConv:
        """A convolution with the BatchNorm of eval mode that follows it folded in."""
        return cls(*folded(conv, norm), like=conv, side=side)

    def forward(self, x: Tensor, *, added: Tensor | None = None, relu: bool = True) -> Tensor:
        """relu(convolution + `added`), as wanted; `added` is overwritten."""
        if self.pack:
            facts, after = (x, self.weight, self.bias, *self.geometry), "relu" if relu else None
            if added is None:
                return torch.ops.mkldnn._convolution_pointwise(*facts, after or "none", [], "")
            return torch.ops.mkldnn._convolution_pointwise_(
                added, *facts, "add", 1.0, after, [], "")
        padding, stride, rate, groups = self.geometry
        weight, padding = needed_taps(self.weight, padding, x)
        out = F.conv2d(x, weight, self.bias, stride, padding, rate, groups)
        out = out if added is None else out.add_(added)
        return out.relu_() if relu else out


def folded(conv: nn.Conv2d, norm: nn.Module | None) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution and the BatchNorm of eval mode that may follow it."""
    if norm is None:
        return conv.weight, conv.bias
    return fuse_conv_bn_weights(conv.weight, conv.bias, norm.running_mean, norm.running_var,
                                norm.eps, norm.weight, norm.bias)


def needed_taps(weight: Tensor, padding: tuple[int, int], x: Tensor) -> tuple[Tensor, list[int]]:
    """Weight and padding without the taps that fall on padding wherever the kernel stands.

    On a map not longer than the padding these are all but the middle ones: a 3x3 kernel of
    such a rate has become a 1x1 one (Sec. 3.3).
    """
    sides = list(zip(x.shape[-2:], padding, weight.shape[-2:], strict=True))
    rows, columns = (slice(None) if length > pad else slice(size // 2, size // 2 + 1)
                     for length, pad, size in sides)
    return weight[:, :, rows, columns], [pad if length > pad else 0 for length, pad, _ in sides]


class FusedBlock(nn.Module):
    """`Bottleneck` in eval mode: three convolutions, the last of which adds the shortcut."""

    def __init__(self, block: Bottleneck, *, side: int | None):
        super().__init__()
        after = _shrunk(side, block.conv2)
        self.reduce = FusedConv.of(block.conv1, block.bn1, side=side)
        self.middle = FusedConv.of(block.conv2, block.bn2, side=side)
        self.expand = FusedConv.of(block.conv3, block.bn3, side=after)
        self.downsample = block.downsample and FusedConv.of(*block.downsample, side=side)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output; may overwrite `x`."""
        inner = self.middle(self.reduce(x))
        shortcut = x if self.downsample is None else self.downsample(x, relu=False)
        return self.expand(inner, added=shortcut)


class FusedDeepLabV3(nn.Module):
    """`DeepLabV3` in eval mode, without its auxiliary head; see `optimize_for_inference`."""

    def __init__(self, model: DeepLabV3, *, side: int | None):
        super().__init__()
        backbone, aspp = model.backbone, model.aspp
        self.stem, self.blocks = nn.Sequential(), nn.Sequential()
        for conv, norm in _stem(backbone):
            self.stem.append(FusedConv.of(conv, norm, side=side))
            side = _shrunk(side, conv)
        self.maxpool = backbone.maxpool
        side = _shrunk(side, backbone.maxpool)
        for stage in (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4):
            for block in stage:
                self.blocks.append(FusedBlock(block, side=side))
                side = _shrunk(side, block.conv2)
        self.branches = nn.ModuleList(
            FusedConv.of(branch[0], branch[1], side=side) for branch in (aspp.point, *aspp.atrous))
        self.image_pooling = FusedConv.of(aspp.image_pooling[0], aspp.image_pooling[1], side=None)
        # the projection by parts of its input channels: one convolution per branch, and the pooled
        weight, bias = folded(aspp.project[0], aspp.project[1])
        *parts, pooled = weight.split(len(self.image_pooling.bias), dim=1)
        self.project = nn.ModuleList(
            FusedConv(part, torch.zeros_like(bias), like=aspp.project[0], side=side)
            for part in parts)
        self.register_buffer("bias", bias.detach().clone(), persistent=False)
        self.register_buffer("pooled_weight", pooled.detach().permute(1, 0, 2, 3).contiguous(),
                             persistent=False)
        self.classifier = FusedConv.of(model.classifier[-1], side=side)  # without its dropout

    def forward(self, image: Tensor) -> Logits:
        """Logits as of `DeepLabV3.forward` in eval mode; raises as it does."""
        check_image(image)
        x = self.stem(image.contiguous(memory_format=torch.channels_last))
        x = self.blocks(self.maxpool(x))
        fused = self._pooled_part(x)
        for branch, projection in zip(self.branches, self.project, strict=True):
            fused = projection(branch(x), added=fused, relu=projection is self.project[-1])
        return Logits(self.classifier(fused, relu=False).contiguous(), None)

    def _pooled_part(self, x: Tensor) -> Tensor:
        """What the projection makes of the pooled branch, with its bias: (N, c_out, h, w).

        The same in every cell but the outermost, where taps fall outside.
        """
        pooled = self.image_pooling(x.mean((2, 3), keepdim=True))[..., 0, 0]
        taps = (pooled @ self.pooled_weight.flatten(1)).unflatten(1, self.pooled_weight.shape[1:])
        down, across = (inside(length, kernel).to(taps) for length, kernel in
                        zip(x.shape[-2:], taps.shape[-2:], strict=True))
        part = torch.einsum("nokl,yk,xl->nyxo", taps, down, across).add_(self.bias)
        return part.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def inside(length: int, kernel: int) -> Tensor:
    """Whether each tap of a kernel falls inside, at each of `length` cells: (length, kernel).

    >>> inside(3, 3).int().tolist()
    [[0, 1, 1], [1, 1, 1], [1, 1, 0]]
    """
    place = torch.arange(length)[:, None] + torch.arange(kernel) - kernel // 2
    return (place >= 0) & (place < length)


def _stem(backbone: ResNet) -> list[tuple[nn.Conv2d, nn.Module]]:
    """The convolutions before the max pooling, each with its BatchNorm."""
    if not hasattr(backbone, "stem"):
        return [(backbone.conv1, backbone.bn1)]
    return list(zip(backbone.stem[::3], backbone.stem[1::3], strict=True))


def _shrunk(side: int | None, layer: nn.Conv2d | nn.MaxPool2d) -> int | None:
    """The side of a map after a layer with a stride, for one that was `side` cells before."""
    stride = layer.stride if isinstance(layer.stride, int) else layer.stride[0]
    return side and -(-side // stride)
