"""Activations that are made again in the backward pass instead of being kept until then.

Of each block of the backbone only the input is kept, about a third of its maps; the rest is
computed a second time when the backward pass comes to the block (Chen et al. 2016, "Training
Deep Nets with Sublinear Memory Cost"). The second time, BatchNorm normalises with the batch as
before, and leaves its running statistics alone: they have seen this batch.
"""

import contextlib
from collections.abc import Iterator
from functools import partial

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from deeplab.model.backbone import Bottleneck


def recompute_blocks(model: nn.Module) -> nn.Module:
    """Let every residual block of `model` be computed again in training; returns `model`."""
    for block in model.modules():
        if isinstance(block, Bottleneck):
            block.forward = partial(_recomputed, block)
    return model


def _recomputed(block: Bottleneck, x: Tensor) -> Tensor:
    plain = partial(Bottleneck.forward, block)
    if not block.training:
        return plain(x)
    return checkpoint(
        plain, x, use_reentrant=False, preserve_rng_state=False,  # a block draws no numbers
        context_fn=lambda: (contextlib.nullcontext(), _running_statistics_kept(block)))


@contextlib.contextmanager
def _running_statistics_kept(block: nn.Module) -> Iterator[None]:
    """BatchNorm that normalises with the batch, and learns a share of 0 of its statistics."""
    norms = [(norm, norm.momentum, norm.num_batches_tracked) for norm in block.modules()
             if isinstance(norm, _BatchNorm)]
    for norm, *_ in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, momentum, count in norms:
            norm.momentum, norm.num_batches_tracked = momentum, count
