"""DeepLabV3 whole: backbone, ASPP, classifier, and the auxiliary head used in training."""

from typing import NamedTuple, Protocol

from torch import Tensor, nn

from deeplab.model.aspp import ASPP
from deeplab.model.atrous import conv_bn_relu
from deeplab.model.backbone import EXPANSION, STAGE_WIDTHS, ResNet, scaled_channels
from deeplab.profiles import Profile, get_profile
from deeplab.support.errors import UsageError

DROPOUT = 0.1  # of whole channels, both heads: ssseg/configs/_base_/segmentors/deeplabv3.py


class ModelRow(Protocol):
    """What a network needs to know of a row of the table."""

    row_id: str
    backbone: str
    output_stride: int
    published_weights: str

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""

    @property
    def atrous_rates(self) -> tuple[int, ...]:
        """Rates of the 3x3 ASPP branches, in feature cells."""


class Logits(NamedTuple):
    """Scores before softmax at feature resolution, (N, K, ceil(H / os), ceil(W / os)) each."""

    main: Tensor
    aux: Tensor | None  # None in eval mode or without; at output stride 32 twice as high and wide


class DeepLabV3(nn.Module):
    """The network of the published table; the paper's own by other arguments.

    - `num_classes`: K, the channels of both classifiers
    - `depth`: layers of the ResNet, 50 or 101
    - `output_stride`: pixels per feature cell, 8 or 16
    - `atrous_rates`: of ASPP's 3x3 branches, in feature cells
    - `channels`: of each ASPP branch and of the projection; Paper: 256
    - `project_kernel`: side of the projection's kernel; Paper: 1
    - `image_level`: whether ASPP has its branch of the whole image
    - `aux_channels`: of the auxiliary head's 3x3 convolution; Paper: no such head
    - `stem`, `zero_init_residual`: as of `ResNet`
    - `multi_grid`: factors of conv5's rates; Paper: (1, 2, 4)
    - `width`: scales every channel count, K alone excepted

    The defaults are the table's (`ssseg/configs/_base_/segmentors/deeplabv3.py`). The parts can
    be called one by one: in eval mode the auxiliary logits are
    `model.aux_classifier(model.backbone(image).conv4)`.
    Raises `UsageError` for a depth, stride, rate, stem or Multi-Grid that does not exist.
    """

    def __init__(self, *, num_classes: int, depth: int, output_stride: int,
                 atrous_rates: tuple[int, ...], channels: int = 512, project_kernel: int = 3,
                 image_level: bool = True, aux_channels: int = 512, stem: str = "v1c",
                 multi_grid: tuple[int, ...] | None = None, width: float = 1,
                 zero_init_residual: bool = False):
        super().__init__()
        self.backbone = ResNet(depth=depth, output_stride=output_stride, stem=stem,
                               multi_grid=multi_grid, width=width,
                               zero_init_residual=zero_init_residual)
        c_conv4, c_conv5 = (EXPANSION * scaled_channels(c, width) for c in STAGE_WIDTHS[2:])
        channels = scaled_channels(channels, width)
        aux_channels = scaled_channels(aux_channels, width)
        self.aspp = ASPP(c_in=c_conv5, c_out=channels, atrous_rates=atrous_rates,
                         project_kernel=project_kernel, image_level=image_level)
        self.classifier = nn.Sequential(
            nn.Dropout2d(DROPOUT), nn.Conv2d(channels, num_classes, 1))
        self.aux_classifier = nn.Sequential(
            *conv_bn_relu(c_conv4, aux_channels, kernel_size=3),
            nn.Dropout2d(DROPOUT), nn.Conv2d(aux_channels, num_classes, 1))

    def forward(self, image: Tensor) -> Logits:
        """Logits of a normalised float image (N, 3, H, W), not upsampled.

        Raises `UsageError`: E-INPUT for another shape or dtype, E-BATCH for training on
        a single image.
        """
        check_image(image)
        stages = self.backbone(image)
        main = self.classifier(self.aspp(stages.conv5))
        is_aux = self.training and self.aux_classifier is not None
        return Logits(main, self.aux_classifier(stages.conv4) if is_aux else None)


def check_image(image: Tensor) -> None:
    """Raise `UsageError` (E-INPUT) unless `image` is a float tensor (N, 3, H, W)."""
    if image.ndim == 4 and image.shape[1] == 3 and image.is_floating_point():
        return
    raise UsageError.of("E-INPUT", "the network takes a batch of normalised RGB images",
                        found=f"{image.dtype} {tuple(image.shape)}",
                        expected="a float tensor (N, 3, H, W)",
                        do="normalise first, and add the batch axis with image[None]")


def profile_rates(row: ModelRow, profile: Profile) -> tuple[int, ...]:
    """The row's atrous rates at the size of a profile, in feature cells.

    Rounded at output stride 16 and then scaled, so that rates at output stride 8 stay
    exactly twice as high (Sec. 3.3) however the profile rounds.
    """
    finer = 16 // row.output_stride
    return tuple(profile.rate(rate // finer) * finer for rate in row.atrous_rates)


def build_model(row: ModelRow, profile: str = "full", *, stem: str = "v1c",
                aux_channels: int = 512) -> DeepLabV3:
    """The network of one row at the size of a profile, with random weights.

    `stem` and `aux_channels` (before scaling) are for weights from elsewhere: torchvision's
    ImageNet weights need "7x7", mmsegmentation's models have an auxiliary head of 256.
    Raises `UsageError` (E-PROFILE) for a profile that does not exist.
    """
    size = get_profile(profile)
    return DeepLabV3(num_classes=row.num_classes, depth=int(row.backbone.removeprefix("resnet")),
                     output_stride=row.output_stride, atrous_rates=profile_rates(row, size),
                     aux_channels=aux_channels, stem=stem, width=size.width,
                     zero_init_residual=not size.pretrained)
