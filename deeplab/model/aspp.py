"""Atrous Spatial Pyramid Pooling: one map seen at several scales at once (Sec. 3.3, Fig. 5)."""

import torch
from torch import Tensor, nn

from deeplab.model.atrous import conv_bn_relu
from deeplab.support.errors import UsageError


class ASPP(nn.Module):
    """Five branches of one map, concatenated and fused (Sec. 3.3, Fig. 5).

    A 1x1 convolution, a 3x3 convolution at each of `atrous_rates`, and with `image_level`
    the mean of the whole map, in this order. Input (N, c_in, h, w), output (N, c_out, h, w).
    Paper: 256 channels and a 1x1 projection. The published table: 512 channels and a 3x3
    projection (`ssseg/modules/models/segmentors/deeplabv3/aspp.py`), hence the default.
    """

    def __init__(self, *, c_in: int, c_out: int, atrous_rates: tuple[int, ...],
                 project_kernel: int = 3, image_level: bool = True):
        super().__init__()
        self.point = conv_bn_relu(c_in, c_out, kernel_size=1)
        self.atrous = nn.ModuleList(
            conv_bn_relu(c_in, c_out, kernel_size=3, rate=rate) for rate in atrous_rates)
        self.image_pooling = conv_bn_relu(c_in, c_out, kernel_size=1) if image_level else None
        self.project = conv_bn_relu((len(atrous_rates) + 1 + image_level) * c_out, c_out,
                                   kernel_size=project_kernel)

    def forward(self, x: Tensor) -> Tensor:
        """The fused map; raises `UsageError` (E-BATCH), see `image_features`."""
        branches = [self.point(x), *(branch(x) for branch in self.atrous)]
        if self.image_pooling is not None:
            branches.append(self.image_features(x))
        return self.project(torch.cat(branches, dim=1))

    def image_features(self, x: Tensor) -> Tensor:
        """The image-level branch: one vector per image, spread over the map: (N, c_out, h, w).

        Raises `UsageError` (E-BATCH) when training on a single image: BatchNorm would
        normalise each channel over one value only and always give its bias.
        """
        norm = self.image_pooling[1]
        if len(x) == 1 and norm.training and isinstance(norm, nn.BatchNorm2d):
            raise UsageError.of(
                "E-BATCH", "one image per batch cannot train the image-level branch",
                found="batch of 1 in training mode", expected="2 images or more per process",
                do="raise the batch size, or call model.eval() to predict")
        # A mean instead of adaptive pooling: the latter's gradient is not deterministic on
        # CUDA. Spreading equals bilinear upsampling from 1x1, which is constant.
        pooled = self.image_pooling(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        # One branch with another layout in memory would give the concatenation that of none
        return pooled.contiguous(memory_format=torch.channels_last)
