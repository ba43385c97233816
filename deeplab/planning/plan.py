"""What rows cost before anything is spent: work, memory, steps, hours and disk.

Parameters and multiply-adds are exact; memory and hours are predictions, whose assumptions are
stated in `memory` and `gpus`.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deeplab.data.catalog import DATASETS, find_root, get_dataset, stored_as
from deeplab.miniature.drawing import vocabulary
from deeplab.planning.cost import ModelCost, meta_model, model_cost
from deeplab.planning.gpus import Gpu, get_gpu
from deeplab.planning.memory import FLOAT, GIB, TrainingMemory, training_memory
from deeplab.prepare.sources import get_source
from deeplab.runs.config import RunConfig
from deeplab.runs.device import check_shared
from deeplab.runs.recompute import recompute_blocks
from deeplab.support.cuda import TF32
from deeplab.support.errors import DataError, ResourceError
from deeplab.training.checkpoint import KEPT

FORWARDS = 3  # a training step costs three forward passes: one, and twice as much backward
USABLE = 0.9  # of a GPU's memory; the rest is the driver's, or too scattered to use
ASSUMED_IMAGES = 1000  # in each split of a dataset of one's own that is not there to count
GB = 1e9


@dataclass(frozen=True)
class PlanLine:
    """What one row costs on as many GPUs of one kind as its `config` says."""

    config: RunConfig
    gpu: Gpu
    cost: ModelCost
    memory: TrainingMemory | None = None  # of each GPU, where it is asked for

    @property
    def row_id(self) -> str:
        """The row."""
        return self.config.row.row_id

    @property
    def steps(self) -> int:
        """Optimiser steps of the whole schedule."""
        return self.config.total_steps(split_size(self.config, self.config.row.train_split))

    @property
    def fits(self) -> bool:
        """Whether a training step fits the memory of one GPU."""
        return self.memory.total <= USABLE * self.gpu.memory * GIB

    @property
    def is_shared(self) -> bool:
        """Whether it only evaluates the training of another row."""
        return self.config.training != self.config

    @property
    def train_hours(self) -> float:
        """Hours of training steps, if the GPUs share the work without loss; 0 of a shared one."""
        if self.is_shared:
            return 0.0
        images = self.steps * self.config.batch_size
        macs = FORWARDS * sum(self.cost.train_macs.values())
        if self.config.checkpoint_activations:
            macs += self.cost.train_macs["backbone"]  # once more
        flops = 2 * macs * images
        return self._hours(flops, half=self.config.is_mixed, tf32=TF32["training"])

    @property
    def eval_hours(self) -> float:
        """Hours of all evaluations, in float32; as many as the schedule has."""
        row, config = self.config.row, self.config
        every = config.evaluate_every(split_size(config, row.train_split))
        passes = 1 if self.is_shared else -(-self.steps // every)
        flops = 2 * sum(self.cost.eval_macs.values()) * split_size(config, row.eval_split) * passes
        return self._hours(flops, half=False, tf32=TF32["evaluation"])

    def _hours(self, flops: float, *, half: bool, tf32: bool) -> float:
        speed = self.gpu.tflops(half=half, tf32=tf32) * 1e12
        return flops / (self.config.world * speed) / 3600

    @property
    def hours(self) -> float:
        """Training and evaluation."""
        return self.train_hours + self.eval_hours

    @property
    def data_gb(self) -> float:
        """Disk for the dataset, its archives and what is made of them; 0 for a twin or own data."""
        if self.config.profile.name == "demo":
            return 0.0
        if self.config.row.dataset not in DATASETS:
            return 0.0
        source = get_source(self.config.row.dataset)
        return source.unpacked_gb + sum(archive.gigabytes for archive in source.archives)

    @property
    def run_gb(self) -> float:
        """Disk for one run: the checkpoints kept and the one being written, then the weights."""
        weights = FLOAT * sum(self.cost.parameters.values()) / GB
        return (KEPT + 1) * 2 * weights + weights


def plan(row_ids: Sequence[str], *, gpu: str, gpus: int = 1, profile: str = "full",
         **changes: Any) -> list[PlanLine]:
    """The cost of each row, its batch divided among `gpus` GPUs of the kind `gpu`.

    `changes` are parameters of a run: precision, batch, checkpoint_activations.
    Raises `UsageError`: E-ROW, E-PROFILE, E-GPU, and E-GPUS for a batch that cannot be divided.
    """
    configs = [RunConfig.of(row_id=row_id, profile=profile, gpus=gpus, **changes)
               for row_id in row_ids]
    kind = get_gpu(gpu)
    return [PlanLine(config, kind, model_cost(config), step_memory(config))
            for config in configs]


@functools.cache
def step_memory(config: RunConfig) -> TrainingMemory:
    """Memory of a training step of a run on each of its GPUs; raises `UsageError` (E-GPUS)."""
    check_shared(config)
    model = meta_model(config)
    if config.checkpoint_activations:
        recompute_blocks(model)
    return training_memory(model.half() if config.is_mixed else model, height=config.crop[0],
                           width=config.crop[1], images=config.batch_size // config.world)


def split_size(config: RunConfig, split: str) -> int:
    """Images in a split of the real dataset, or of its miniature twin in the demo."""
    if config.profile.name != "demo":
        return _real_size(config.real_data_root, config.row.dataset, split)
    twin = vocabulary()["sets"][stored_as(config.row.dataset)]
    return twin["val" if split == "val" else "train"]


@functools.cache
def _real_size(data_root: Path, dataset: str, split: str) -> int:
    """Images in a split as published or told, or else as they lie there; `ASSUMED` if nowhere."""
    label_set = get_dataset(dataset)
    if split in label_set.split_sizes:
        return label_set.split_sizes[split]
    try:
        return len(label_set.layout.samples(find_root(label_set, data_root), split).samples)
    except DataError:
        return ASSUMED_IMAGES


def check_fits(lines: Sequence[PlanLine]) -> None:
    """Raise `ResourceError` (E-MEMORY) if a row needs more memory than its GPU has."""
    wide = [line for line in lines if not line.fits]
    if wide:
        worst = max(wide, key=lambda line: line.memory.total)
        raise ResourceError.of(
            "E-MEMORY", f"{len(wide)} of {len(lines)} rows do not fit a {worst.gpu.name}",
            found=f"{worst.row_id} needs {worst.memory.total / GIB:.1f} GiB",
            expected=f"at most {USABLE * worst.gpu.memory:.1f} of {worst.gpu.memory} GiB",
            do="use more GPUs (--gpus), larger ones (--gpu), or --checkpoint-activations")
