"""What rows cost before anything is spent: work, memory, steps, hours and disk.

Parameters and multiply-adds are exact; memory and hours are predictions, whose assumptions are
stated in `memory` and `gpus` and printed below every plan.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deeplab.data.miniature import TWIN_OF
from deeplab.data.scenes import vocabulary
from deeplab.errors import ResourceError, UsageError
from deeplab.table.config import RunConfig
from deeplab.table.cost import ModelCost, meta_model, model_cost
from deeplab.table.gpus import TENSOR_EFFICIENCY, VECTOR_EFFICIENCY, Gpu, get_gpu
from deeplab.table.memory import FLOAT, GIB, TrainingMemory, training_memory
from deeplab.training.checkpoint import KEPT

FORWARDS = 3  # a training step costs three forward passes: one, and twice as much backward
USABLE = 0.9  # of a GPU's memory; the rest is the driver's, or too scattered to use
GB = 1e9
# Archives of each dataset, which its files equal in size once unpacked: JPEG and PNG compress
# no further. VOC 2012 with SBD; VOC 2010 with the Context labels; the download pages' figures.
ARCHIVES_GB = {"voc": 2.00 + 1.42, "context": 1.35 + 0.59, "ade20k": 1.0, "cityscapes": 11.6 + 0.25}


@dataclass(frozen=True)
class PlanLine:
    """What one row costs on `gpus` GPUs of one kind."""

    config: RunConfig
    gpu: Gpu
    gpus: int
    cost: ModelCost
    memory: TrainingMemory  # of each GPU

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
    def train_hours(self) -> float:
        """Hours of training steps, if the GPUs share the work without loss."""
        images = self.steps * self.config.batch_size
        flops = 2 * FORWARDS * sum(self.cost.train_macs.values()) * images
        return flops / (self.gpus * self.gpu.tflops(half=is_mixed(self.config)) * 1e12) / 3600

    @property
    def eval_hours(self) -> float:
        """Hours of all evaluations, in float32; as many as the schedule has."""
        row, config = self.config.row, self.config
        passes = -(-self.steps // config.evaluate_every(split_size(config, row.train_split)))
        flops = 2 * sum(self.cost.eval_macs.values()) * split_size(config, row.eval_split) * passes
        return flops / (self.gpus * self.gpu.tflops(half=False) * 1e12) / 3600

    @property
    def hours(self) -> float:
        """Training and evaluation."""
        return self.train_hours + self.eval_hours

    @property
    def data_gb(self) -> float:
        """Disk for the dataset: its archives and what is unpacked from them; 0 for a twin."""
        dataset = TWIN_OF.get(self.config.row.dataset, self.config.row.dataset)
        return 0.0 if self.config.profile.name == "demo" else 2 * ARCHIVES_GB[dataset]

    @property
    def run_gb(self) -> float:
        """Disk for one run: the checkpoints kept and the one being written, then the weights."""
        weights = FLOAT * sum(self.cost.parameters.values()) / GB
        return (KEPT + 1) * 2 * weights + weights


def plan(row_ids: Sequence[str], *, gpu: str, gpus: int = 1,
         profile: str = "full") -> list[PlanLine]:
    """The cost of each row, its batch divided among `gpus` GPUs of the kind `gpu`.

    Raises `UsageError`: E-ROW, E-PROFILE, E-GPU, and E-GPUS for a batch that cannot be divided.
    """
    configs = [RunConfig.of(row_id=row_id, profile=profile) for row_id in row_ids]
    kind = get_gpu(gpu)
    return [PlanLine(config, kind, gpus, model_cost(config), step_memory(config, gpus))
            for config in configs]


@functools.cache
def step_memory(config: RunConfig, gpus: int) -> TrainingMemory:
    """Memory of a training step of a run on each of `gpus`; raises `UsageError` (E-GPUS)."""
    if gpus < 1 or config.batch_size % gpus:
        raise UsageError.of("E-GPUS", f"the batch of {config.row.row_id} cannot be shared evenly",
                            found=f"{config.batch_size} images, {gpus} GPUs",
                            expected="a number of GPUs that divides the batch",
                            do=f"take {' or '.join(map(str, _divisors(config.batch_size)))}")
    model = meta_model(config)
    return training_memory(model.half() if is_mixed(config) else model, height=config.crop[0],
                           width=config.crop[1], images=config.batch_size // gpus, gpus=gpus)


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def is_mixed(config: RunConfig) -> bool:
    """Whether a run on CUDA trains in mixed precision: see `Experiment.settings`."""
    return config.profile.name == "full"


def split_size(config: RunConfig, split: str) -> int:
    """Images in a split of the real dataset, or of its miniature twin in the demo."""
    if config.profile.name != "demo":
        return config.label_set.split_sizes[split]
    twin = vocabulary()["sets"][TWIN_OF.get(config.row.dataset, config.row.dataset)]
    return twin["val" if split == "val" else "train"]


def check_fits(lines: Sequence[PlanLine]) -> None:
    """Raise `ResourceError` (E-MEMORY) if a row needs more memory than its GPU has."""
    wide = [line for line in lines if not line.fits]
    if wide:
        worst = max(wide, key=lambda line: line.memory.total)
        raise ResourceError.of(
            "E-MEMORY", f"{len(wide)} of {len(lines)} rows do not fit a {worst.gpu.name}",
            found=f"{worst.row_id} needs {worst.memory.total / GIB:.1f} GiB",
            expected=f"at most {USABLE * worst.gpu.memory:.1f} of {worst.gpu.memory} GiB",
            do="use more GPUs (--gpus) or larger ones (--gpu)")


def plan_text(plans: Sequence[Sequence[PlanLine]]) -> str:
    """Tables of work, memory and disk, and of hours; one plan of the same rows for each GPU."""
    first = plans[0][0]
    width = max(len(line.row_id) for line in plans[0])
    return "\n".join([
        f"Profile {first.config.profile.name}, {first.gpus} GPU{'s' * (first.gpus > 1)} a row, "
        f"{'mixed precision' if is_mixed(first.config) else 'float32'}", "",
        *_cost_lines(plans[0], width), "", *_hour_lines(plans, width), "", _notes()])


def _cost_lines(lines: Sequence[PlanLine], width: int) -> Iterator[str]:
    yield (f"{'':<{width}} {'million':>10} {'GMACs of':>9} {'of an':>7} {'images':>7} {'GiB':>6} "
           f"{'':>8} {'GB of':>6} {'of a':>6}")
    yield (f"{'row':<{width}} {'parameters':>10} {'a crop':>9} {'image':>7} {'/ GPU':>7} "
           f"{'/ GPU':>6} {'steps':>8} {'data':>6} {'run':>6}")
    for line in lines:
        parameters, train, image = (sum(values.values()) for values in (
            line.cost.parameters, line.cost.train_macs, line.cost.eval_macs))
        yield (f"{line.row_id:<{width}} {parameters / 1e6:>10.2f} {train / 1e9:>9.2f} "
               f"{image / 1e9:>7.1f} {line.config.batch_size // line.gpus:>7} "
               f"{line.memory.total / GIB:>6.1f} {line.steps:>8,} {line.data_gb:>6.1f} "
               f"{line.run_gb:>6.2f}")


def _hour_lines(plans: Sequence[Sequence[PlanLine]], width: int) -> Iterator[str]:
    yield f"{'hours':<{width}} " + " ".join(f"{lines[0].gpu.name:>8}" for lines in plans)
    for row in zip(*plans, strict=True):
        yield f"{row[0].row_id:<{width}} " + " ".join(f"{_hours(line):>8}" for line in row)


def _hours(line: PlanLine) -> str:
    if not line.fits:
        return "-"
    return f"{line.hours:.1f}" if line.hours >= 0.05 else "<0.1"


def _notes() -> str:
    return textwrap.fill(
        "A dash: a training step does not fit one GPU. Memory agrees within 10 % with eleven "
        "published figures. Hours are of training and the row's evaluations, at "
        f"{VECTOR_EFFICIENCY:.0%} of the peak of float32 or {TENSOR_EFFICIENCY:.0%} of that of "
        "tensor cores (fitted to published speeds of a V100), without waiting for data or for "
        "other GPUs. Data: the archives and their content. Run: the checkpoints, one of them "
        "being written, and the weights.", width=92)
