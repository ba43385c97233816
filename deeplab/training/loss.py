"""Cross-entropy of logits upsampled to the label, in the memory of a few images or a strip.

The recipe compares logits, upsampled bilinearly to the crop, with the label (Sec. 4.1). For
150 classes and 16 crops of 512x512 those logits alone fill 2.5 GB, and automatic
differentiation keeps several such tensors. Here a part of the batch is upsampled, compared,
and its gradient brought back to feature resolution at once; only that small gradient is kept.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from deeplab.evaluation.upsample import at_a_time, bilinear_weights, upsampled

LARGEST_EXPONENT = 80  # exp(-80) is still a normal number in float32
ALIVE = 3  # upsampled maps at a time on a GPU: the log-softmax and two gradients
SLICE_BYTES = 2**31  # that they may fill: four images of 150 classes and 512x512 pixels


def mean_cross_entropy(logits: Tensor, label: Tensor, *, ignore_index: int) -> Tensor:
    """Mean over the valid pixels of `label` (N, H, W) of the cross-entropy of upsampled logits.

    `logits` is (N, K, h, w) before softmax. Without a valid pixel the loss is 0, with a
    gradient of 0. It can be differentiated once. A value that is neither a class nor
    `ignore_index` raises RuntimeError, on a GPU when the device is next waited for.
    """
    return _UpsampledCrossEntropy.apply(logits.float(), label, ignore_index)


class _UpsampledCrossEntropy(torch.autograd.Function):
    """The mean over the valid pixels that these two lines give, and its gradient::

        full = F.interpolate(logits, label.shape[1:], mode="bilinear", align_corners=False)
        loss = F.cross_entropy(full, label, ignore_index=ignore_index)
    """

    @staticmethod
    def forward(ctx, logits: Tensor, label: Tensor, ignore_index: int) -> Tensor:
        compare = _in_strips if logits.device.type == "cpu" else _in_slices
        loss, gradient = compare(logits, label, ignore_index)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream, None, None


def _in_slices(logits: Tensor, label: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Loss and gradient as PyTorch's own functions give them, as many images at a time as fit.

    For a GPU, where each operation costs a launch. An upsampled logit costs 32 bytes of traffic:
    it is written (4 bytes), its log-softmax taken (8), the gradient of the choice of a class
    written (4), that of the softmax taken (12) and brought back to the cells (4).
    """
    (height, width), cells = label.shape[1:], logits.contiguous()
    one = ALIVE * logits.element_size() * logits.shape[1] * height * width
    total, gradients, images = logits.new_zeros(()), [], max(1, SLICE_BYTES // one)
    for some, target in zip(cells.split(images), label.split(images), strict=True):
        some = some.detach().requires_grad_()
        with torch.enable_grad():
            loss = F.cross_entropy(upsampled(some, height, width), target, reduction="sum",
                                   ignore_index=ignore_index)
        gradients += torch.autograd.grad(loss, some)
        total += loss.detach()
    count = (label != ignore_index).sum().clamp_min(1)
    return total / count, torch.cat(gradients) / count


def _in_strips(logits: Tensor, label: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Loss and gradient in the cache of a CPU, a strip of one image at a time."""
    cells, (height, width) = logits.permute(0, 2, 3, 1), label.shape[1:]  # classes last
    classes = cells.shape[-1]
    # The largest logit becomes 0: no softmax changes by it, and no mix of cells gets above 0.
    # Each pixel needs its own only where exp() could come out as 0
    cells = cells - cells.amax(-1, keepdim=True)
    may_underflow = bool((cells < -LARGEST_EXPONENT).any())
    down, across = (bilinear_weights(length, pixels)[1] for length, pixels in
                    zip(cells.shape[1:3], (height, width), strict=True))
    valid = label != ignore_index
    weight = valid / valid.sum().clamp_min(1)
    target = label.where(valid, 0)
    rows = min(height, max(1, at_a_time(logits) // (width * classes)))
    strip_logits = logits.new_empty(rows, width * classes)
    total, gradient = logits.new_zeros(()), []
    for index, one in enumerate(cells):
        wide = torch.matmul(across, one).flatten(1)  # (h, W * K)
        back = torch.zeros_like(wide)
        for strip in (slice(top, min(top + rows, height)) for top in range(0, height, rows)):
            full = torch.mm(down[strip], wide, out=strip_logits[:strip.stop - strip.start])
            pixels = full.view(-1, classes)
            if may_underflow:
                pixels -= pixels.amax(-1, keepdim=True)
            total += _cross_entropy_(pixels, target[index, strip].flatten(),
                                     weight[index, strip].flatten())
            back.addmm_(down[strip].T, full)
        gradient.append(torch.matmul(across.T, back.unflatten(1, (width, classes))))
    return total, torch.stack(gradient).permute(0, 3, 1, 2)


def _cross_entropy_(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The weighted sum of the cross-entropy; `logits` (P, K), at most 0, become its gradient.

    `target` (P) holds classes. The gradient is the probability, minus one at the target.
    """
    pixels, classes = logits.shape
    at_target = logits.gather(1, target.unsqueeze(1)).squeeze(1)  # refuses what is no class
    place = target + torch.arange(0, pixels * classes, classes, device=target.device)
    total = torch.mv(logits.exp_(), logits.new_ones(classes))  # the fastest sum over few numbers
    logits *= (weight / total).unsqueeze(-1)
    logits.view(-1).index_add_(0, place, weight, alpha=-1)
    return torch.dot(total.log_() - at_target, weight)
