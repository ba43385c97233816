"""Plans as text: a table of work, memory and disk, one of hours, and what they assume."""

import textwrap
from collections.abc import Callable, Iterator, Sequence

from deeplab.planning.gpus import TENSOR_EFFICIENCY, VECTOR_EFFICIENCY
from deeplab.planning.loaders import images_per_second, loaders_needed
from deeplab.planning.memory import GIB
from deeplab.planning.plan import ASSUMED_IMAGES, PlanLine
from deeplab.support.machine import MOST_LOADERS

# memory by what it holds: a heading, and the fields of `TrainingMemory` that it adds up
USES = {"weights": ("weights",), "gradients": ("gradients",), "optimiser": ("momentum",),
        "activations": ("activations",), "other": ("passing", "workspace")}


def plan_text(plans: Sequence[Sequence[PlanLine]]) -> str:
    """Tables of work, memory, disk and hours; `plans` has one plan of the same rows a GPU."""
    config = plans[0][0].config
    width = max(len("GMACs of a crop"), *(len(line.row_id) for line in plans[0]))
    return "\n".join([
        f"Profile {config.profile.name}, {config.world} GPU{'s' * (config.world > 1)} a row, "
        f"{'mixed precision' if config.is_mixed else 'float32'}"
        f"{', maps of the backbone computed twice' * config.checkpoint_activations}", "",
        *_cost_lines(plans[0], width), "", *_part_lines(plans[0], width), "",
        *_memory_lines(plans[0], width), "", *_gpu_lines("hours", _hours, plans, width), "",
        *_gpu_lines("loaders / GPU", _loaders, plans, width), "", _notes(*(
            lines[0].gpu.name for lines in plans if lines[0].gpu.needs_cu126)),
        *_starving(plans)])


def _cost_lines(lines: Sequence[PlanLine], width: int) -> Iterator[str]:
    yield (f"{'':<{width}} {'million':>10} {'GMACs of':>9} {'of an':>7} {'images':>7} {'GiB':>6} "
           f"{'':>8} {'GB of':>6} {'of a':>6}")
    yield (f"{'row':<{width}} {'parameters':>10} {'a crop':>9} {'image':>7} {'/ GPU':>7} "
           f"{'/ GPU':>6} {'steps':>8} {'data':>6} {'run':>6}")
    for line in lines:
        parameters, train, image = (sum(values.values()) for values in (
            line.cost.parameters, line.cost.train_macs, line.cost.eval_macs))
        yield (f"{line.row_id:<{width}} {parameters / 1e6:>10.2f} {train / 1e9:>9.2f} "
               f"{image / 1e9:>7.1f} {line.config.batch_size // line.config.world:>7} "
               f"{line.memory.total / GIB:>6.1f} {line.steps:>8,} {line.data_gb:>6.1f} "
               f"{line.run_gb:>6.2f}")


def _part_lines(lines: Sequence[PlanLine], width: int) -> Iterator[str]:
    parts = list(dict.fromkeys(part for line in lines for part in line.cost.train_macs))
    yield f"{'GMACs of a crop':<{width}} " + " ".join(f"{part:>14}" for part in parts)
    for line in lines:
        yield f"{line.row_id:<{width}} " + " ".join(
            f"{line.cost.train_macs.get(part, 0) / 1e9:>14.2f}" for part in parts)


def _memory_lines(lines: Sequence[PlanLine], width: int) -> Iterator[str]:
    yield f"{'GiB on a GPU':<{width}} " + " ".join(f"{use:>11}" for use in USES)
    for line in lines:
        sizes = (sum(getattr(line.memory, field) for field in fields) for fields in USES.values())
        yield f"{line.row_id:<{width}} " + " ".join(f"{size / GIB:>11.2f}" for size in sizes)


def _gpu_lines(title: str, cell: Callable[[PlanLine], str], plans: Sequence[Sequence[PlanLine]],
               width: int) -> Iterator[str]:
    """A column for each kind of GPU."""
    yield f"{title:<{width}} " + " ".join(f"{lines[0].gpu.name:>8}" for lines in plans)
    for row in zip(*plans, strict=True):
        yield f"{row[0].row_id:<{width}} " + " ".join(f"{cell(line):>8}" for line in row)


def _hours(line: PlanLine) -> str:
    if not line.fits:
        return "-"
    return f"{line.hours:.1f}" if line.hours >= 0.05 else "<0.1"


def _loaders(line: PlanLine) -> str:
    return "/".join(str(loaders_needed(line, packed=packed)) for packed in (False, True))


def _starving(plans: Sequence[Sequence[PlanLine]]) -> Iterator[str]:
    """A warning for each kind of GPU that would wait for decoded files."""
    for lines in plans:
        slow = [line for line in lines if loaders_needed(line, packed=False) > MOST_LOADERS]
        if slow:
            worst = max(slow, key=lambda line: loaders_needed(line, packed=False))
            yield textwrap.fill(
                f"Warning: {len(slow)} of these rows would starve a {worst.gpu.name}. "
                f"{worst.row_id} takes {images_per_second(worst):.0f} crops a second, for which "
                f"{loaders_needed(worst, packed=False)} processes must decode its files; a run "
                f"starts at most {MOST_LOADERS}. Pack the split (deeplab data pack "
                f"{worst.config.row.dataset}), and {loaders_needed(worst, packed=True)} are "
                f"enough, or give --workers {loaders_needed(worst, packed=False)}.", width=92)


def _notes(*older: str) -> str:
    build = (f" {', '.join(older)}: PyTorch's build for CUDA 12.6 (make TORCH=cu126), for those "
             "for CUDA 13 have no code for such cards." if older else "")
    return textwrap.fill(
        "A GMAC is a billion multiply-adds, or two GFLOPs; a training step takes three forward "
        "passes. A dash: a training step does not fit one GPU. Memory agrees within 10 % with "
        "eleven published figures. Hours are of training and the row's evaluations, at "
        f"{VECTOR_EFFICIENCY:.0%} of the peak of float32 or {TENSOR_EFFICIENCY:.0%} of that of "
        "tensor cores (fitted to published speeds of a V100), without waiting for data or for "
        "other GPUs; a row of the paper that evaluates another one's training counts no training. "
        "Loaders: processes on the CPU that decode fast enough for each GPU, from files / from a "
        "pack (deeplab data pack); a run "
        f"starts one for each core of the GPU, at most {MOST_LOADERS}. "
        "Data: the archives and their content. Run: the checkpoints, one of them being written, "
        "and the weights. A dataset of your own is counted where it lies ($DEEPLAB_DATA), or "
        f"else taken for {ASSUMED_IMAGES:,} images a split.{build}", width=92)
