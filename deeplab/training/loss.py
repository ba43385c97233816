"""Cross-entropy at full resolution that never holds the full-resolution logits of a batch.

The recipe compares logits, upsampled bilinearly to the crop, with the label (Sec. 4.1). For
150 classes and 16 crops of 512x512 those logits alone fill 2.5 GB, and automatic
differentiation keeps several such tensors. Here a strip of an image is upsampled, compared,
and its gradient brought back to feature resolution at once; only that small gradient is kept.
The values are those of `F.interpolate` and `F.cross_entropy`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from deeplab.evaluation.upsample import at_a_time, bilinear_weights


def mean_cross_entropy(logits: Tensor, label: Tensor, *, ignore_index: int) -> Tensor:
    """Mean over the valid pixels of `label` (N, H, W) of the cross-entropy of upsampled logits.

    `logits` is (N, K, h, w) before softmax. Without a valid pixel the loss is 0, with a
    gradient of 0. It can be differentiated once.
    """
    return _UpsampledCrossEntropy.apply(logits.float(), label, ignore_index)


class _UpsampledCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits: Tensor, label: Tensor, ignore_index: int) -> Tensor:
        cells, (height, width) = logits.permute(0, 2, 3, 1), label.shape[1:]  # classes last
        down, across = (bilinear_weights(length, pixels)[1].to(logits) for length, pixels in
                        zip(cells.shape[1:3], (height, width), strict=True))
        valid = label != ignore_index
        weight = (valid / valid.sum().clamp_min(1)).unsqueeze(-1)
        target = label.where(valid, 0).unsqueeze(-1)
        rows = max(1, at_a_time(logits) // (width * logits.shape[1]))
        total, gradient = logits.new_zeros(()), []
        for index, one in enumerate(cells):
            wide = torch.matmul(across, one)  # (h, W, K)
            back = torch.zeros_like(wide)
            for strip in (slice(top, top + rows) for top in range(0, height, rows)):
                full = torch.mm(down[strip], wide.flatten(1)).view(-1, *wide.shape[1:])
                total += _cross_entropy_(full, target[index, strip], weight[index, strip])
                back.view(len(back), -1).addmm_(down[strip].T, full.flatten(1))
            gradient.append(torch.matmul(across.T, back))
        ctx.save_for_backward(torch.stack(gradient).permute(0, 3, 1, 2))
        return total

    @staticmethod
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream, None, None


def _cross_entropy_(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The weighted sum of the cross-entropy; `logits` (..., K) become its gradient.

    `target` (..., 1) holds classes. The gradient is the probability, minus one at the target.
    """
    logits -= logits.amax(-1, keepdim=True)
    at_target = logits.gather(-1, target)
    total = logits.exp_().sum(-1, keepdim=True)
    logits *= weight / total
    logits.scatter_add_(-1, target, -weight)
    return ((total.log() - at_target) * weight).sum()
