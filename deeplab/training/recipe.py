"""The training recipe that no row changes: loss, optimiser and learning rate.

Sources: the paper, Sec. 4.1, for the poly policy and the loss at full resolution;
SSSegmentation, on which the published table rests, for everything else.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from deeplab.model.network import Logits
from deeplab.support.errors import UsageError
from deeplab.support.void import IGNORE_INDEX
from deeplab.training.loss import mean_cross_entropy

MOMENTUM = 0.9  # ssseg/configs/_base_/schedulers
POLY_POWER = 0.9  # Sec. 4.1
MIN_LR_FRACTION = 0.01  # of base_lr, the end of the curve; Paper: 0. ssseg: polyscheduler.py
AUX_WEIGHT = 0.4  # ssseg/configs/_base_/segmentors/deeplabv3.py; Paper: no auxiliary head


class Losses(NamedTuple):
    """Scalars; `aux` is already weighted, so that total = main + aux."""

    total: Tensor
    main: Tensor
    aux: Tensor


def poly_lr(step: int, *, base_lr: float, total_steps: int) -> float:
    """Learning rate of `step`, counted from 0 and set before the step (Sec. 4.1, "poly").

    (base - min) * (1 - step / total_steps) ** 0.9 + min, with min = 1 % of `base_lr`. From
    `total_steps` on it stays at min: without the clamp the root of a negative number would
    be complex. Raises `UsageError` (E-STEPS) unless `total_steps` is positive.

    >>> poly_lr(0, base_lr=0.01, total_steps=100)
    0.01
    """
    if total_steps < 1:
        raise UsageError.of("E-STEPS", "a schedule needs at least one step",
                            found=total_steps, expected="total_steps >= 1")
    min_lr = MIN_LR_FRACTION * base_lr
    remaining = max(0.0, 1 - step / total_steps)
    return (base_lr - min_lr) * remaining ** POLY_POWER + min_lr


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Use learning rate `lr` for every parameter from the next step on."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def make_optimizer(model: nn.Module, *, base_lr: float,
                   weight_decay: float) -> torch.optim.SGD:
    """SGD with momentum 0.9 over all parameters alike, all of them updated in one go.

    One group: weight decay also acts on biases and BatchNorm, and the new head learns at the
    rate of the pretrained backbone (ssseg: an empty `params_rules`). The momenta begin at 0 and
    not at the first gradient, which comes to the same; but a first step that a gradient scaler
    skips, because it overflowed, would leave fused SGD's own without a value.
    """
    optimizer = torch.optim.SGD(model.parameters(), lr=base_lr, momentum=MOMENTUM,
                                weight_decay=weight_decay, fused=True)
    for parameter in model.parameters():
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def segmentation_loss(logits: Logits, label: Tensor, *, aux_weight: float = AUX_WEIGHT,
                      ignore_index: int = IGNORE_INDEX) -> Losses:
    """Cross-entropy of the head plus `aux_weight` times that of the auxiliary head.

    `label` is (N, H, W) of any integer dtype, at the size of the image: the logits are
    upsampled, the label is never downsampled, so that fine annotation reaches the loss
    (Sec. 4.1). The mean runs over the valid pixels of this batch (ssseg:
    losses/crossentropyloss.py). A batch without any gives 0, with a gradient of 0, not NaN.
    """
    label = label.long()
    main = mean_cross_entropy(logits.main, label, ignore_index=ignore_index)
    if logits.aux is None:
        return Losses(main, main, torch.zeros_like(main))
    aux = aux_weight * mean_cross_entropy(logits.aux, label, ignore_index=ignore_index)
    return Losses(main + aux, main, aux)
