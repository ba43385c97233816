"""One training shared by several processes: what a process must know of the others.

`SINGLE_PROCESS` is the ordinary case of a single process, in which nothing here does anything. With
more, each process ("rank") takes its share of every batch, gradients are averaged, the first
rank writes, and all of them agree after each step whether to go on.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from deeplab.evaluation.metrics import Evaluation

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process's place among the `world` processes of a training."""

    rank: int = 0
    world: int = 1

    @classmethod
    def join(cls, *, device: str, timeout: float) -> Ranks:
        """Meet the other processes that torchrun started, to train on `device`.

        A rank that waits for another one longer than `timeout` seconds gives up with an error.
        """
        kind = "gloo"
        if device.startswith("cuda"):
            kind = "cpu:gloo,cuda:nccl"
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group(kind, timeout=timedelta(seconds=timeout))
        return cls(dist.get_rank(), dist.get_world_size())

    @staticmethod
    def leave() -> None:
        """Part from the other processes after a training that went well."""
        dist.destroy_process_group()

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def wrapped(self, model: nn.Module, device: str) -> nn.Module:
        """`model` so that its gradients are the mean over all ranks.

        On CUDA BatchNorm takes its statistics over the whole batch, for which each layer waits
        for the other ranks once forward and once backward. On a CPU PyTorch has no such layer:
        each rank normalises its own share. The first one's running statistics count; no step
        reads them, so `share_buffers` hands them out before an evaluation only.
        """
        if self.world == 1:
            return model
        if device.startswith("cuda"):
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        with warnings.catch_warnings(category=FutureWarning, action="ignore"):  # of its new name
            return nn.parallel.DistributedDataParallel(model, broadcast_buffers=False,
                                                       gradient_as_bucket_view=True)

    def share_buffers(self, model: nn.Module) -> None:
        """Give all ranks the first one's BatchNorm statistics."""
        if self.world > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, 0)

    def in_turn(self, function: Callable[[], T]) -> T:
        """What `function` returns, called by the first rank before all others."""
        if self.world == 1 or self.is_first:
            result = function()
        if self.world > 1:
            dist.barrier()
        return result if self.is_first else function()

    def mean(self, *values: float) -> list[float]:
        """The mean of each value over the ranks; the same numbers on all of them."""
        if self.world == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return (total / self.world).tolist()

    def gathered(self, tensor: Tensor) -> list[Tensor]:
        """`tensor` (on the CPU, of one shape everywhere) of each rank, in their order."""
        if self.world == 1:
            return [tensor]
        tensors = [torch.empty_like(tensor) for _ in range(self.world)]
        dist.all_gather(tensors, tensor)
        return tensors

    def share(self, count: int) -> range:
        """Which of `count` images this rank scores; each is scored once, none is padded."""
        return range(count)[self.rank::self.world]

    def merged(self, evaluation: Evaluation, count: int) -> Evaluation:
        """The evaluation of all `count` images from that of each rank's share."""
        if self.world == 1:
            return evaluation
        confusion, mine = evaluation.confusion.clone(), evaluation.image_counts
        dist.all_reduce(confusion)
        counts = torch.zeros(count, *mine.shape[1:], dtype=torch.int64)
        counts[evaluation.indices] = mine
        dist.all_reduce(counts)
        return replace(evaluation, confusion=confusion, indices=list(range(count)),
                       image_counts=counts)


SINGLE_PROCESS = Ranks()
