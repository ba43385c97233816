"""GPU memory of a training step, by following a step without data from tensor to tensor.

Checked against the training memory that mmsegmentation publishes for eleven models
(tests/planning/test_memory.py). GiB, as GPUs are sold and `torch.cuda` counts.
"""

import weakref
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from deeplab.model.network import DeepLabV3, Logits
from deeplab.training.recipe import segmentation_loss

GIB = 2**30
FLOAT, HALF = 4, 2  # bytes
Loss = Callable[[Logits, Tensor], Tensor]
WORKSPACE = GIB // 2  # assumption: scratch of cuDNN's convolutions, and the allocator's rounding


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes on one GPU at the peak of a training step, early in its backward pass."""

    weights: int
    gradients: int
    momentum: int
    activations: int  # what the forward pass keeps for the backward pass
    passing: int  # what lives beside it for a moment: gradients of maps, or the loss at work
    workspace: int = WORKSPACE

    @property
    def total(self) -> int:
        """All of it."""
        return sum(astuple(self))


def recipe_loss(logits: Logits, label: Tensor) -> Tensor:
    """The loss that training minimises; see `segmentation_loss`."""
    return segmentation_loss(logits, label).total


def training_memory(model: DeepLabV3, *, height: int, width: int, images: int,
                    gradient_copies: int = 1, loss: Loss = recipe_loss) -> TrainingMemory:
    """Memory on one GPU of a step on `images` crops of (height, width) pixels.

    `model` lies on the meta device. In float16 it stands for mixed precision, in which weights,
    gradients and momentum stay float32 and every weight has a float16 copy. Gradients that
    several GPUs average lie in the buckets that are sent around, as `Ranks.wrapped` asks for;
    DistributedDataParallel without `gradient_as_bucket_view` holds 2 `gradient_copies`.
    """
    numbers = sum(weight.numel() for weight in model.parameters())
    half = next(model.parameters()).dtype == torch.float16
    counted = max(2, images)  # a single image cannot train the image-level branch
    kept, peak = step_bytes(model, height=height, width=width, images=counted, loss=loss)
    return TrainingMemory(
        weights=numbers * (FLOAT + HALF * half),
        gradients=numbers * FLOAT * gradient_copies,
        momentum=numbers * FLOAT,
        activations=kept * images // counted,
        passing=peak - kept)


def step_bytes(model: DeepLabV3, *, height: int, width: int, images: int,
               loss: Loss = recipe_loss) -> tuple[int, int]:
    """Bytes that live after the forward pass and the loss, and at most in the whole step.

    Weights and their gradients do not count.
    """
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    with LiveBytes(model) as live:
        image = torch.empty(images, 3, height, width, dtype=next(model.parameters()).dtype,
                            device="meta")
        label = torch.empty(images, height, width, dtype=torch.uint8, device="meta")
        total = loss(model.train()(image), label)
        kept = live.bytes
        total.backward()
    return kept, live.peak


class LiveBytes(TorchDispatchMode):
    """Counts each storage from the operation that makes it until it is freed.

    `bytes` live now and `peak` lived at most; weights, buffers and gradients that `model` had
    before are left out.
    """

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        self.bytes = self.peak = 0
        gradients = (weight.grad for weight in model.parameters() if weight.grad is not None)
        self._known = weakref.WeakSet(tensor.untyped_storage() for tensor in (
            *model.parameters(), *model.buffers(), *gradients))

    def __torch_dispatch__(self, function: Callable, types: Any, args: tuple = (),
                           kwargs: dict | None = None) -> Any:
        """Do one operation and count the storages that are new among its outputs."""
        output = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(output):
            if isinstance(tensor, Tensor) and tensor.untyped_storage() not in self._known:
                self._count(tensor.untyped_storage())
        return output

    def _count(self, storage: torch.UntypedStorage) -> None:
        self._known.add(storage)
        self.bytes += storage.nbytes()
        self.peak = max(self.peak, self.bytes)
        weakref.finalize(storage, self._free, storage.nbytes())

    def _free(self, size: int) -> None:
        self.bytes -= size
