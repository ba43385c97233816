"""The same network by others, with random weights; those not installed are left out."""

from __future__ import annotations

import importlib.util

from torch import nn

CLASSES = 21


def peers(*, aux: bool = False) -> dict[str, nn.Module]:
    """Networks by name: ResNet-50, output stride 8 where it can be chosen.

    With `aux` only those that have an auxiliary head, for training.
    """
    from torchvision.models.segmentation import deeplabv3_resnet50
    found = {"torchvision deeplabv3_resnet50 (D8)": deeplabv3_resnet50(
        weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=aux)}
    if importlib.util.find_spec("segmentation_models_pytorch") and not aux:
        import segmentation_models_pytorch as smp
        for stride in (8, 16):
            found[f"segmentation_models_pytorch DeepLabV3 (D{stride})"] = smp.DeepLabV3(
                "resnet50", encoder_weights=None, encoder_output_stride=stride, classes=CLASSES,
                upsampling=1)
    if importlib.util.find_spec("timm") and not aux:
        import timm
        found["timm resnet50 (D8, backbone only)"] = timm.create_model(
            "resnet50", pretrained=False, features_only=True, output_stride=8)
    return found
