"""Processes that decode and augment fast enough for a GPU not to wait for its data.

The time of a sample was measured on one core (benchmarks/README.md), the speed of the GPU is
planned; neither is yours.
"""

import math

import torch

from deeplab.data.catalog import find_root, get_dataset
from deeplab.planning.cost import FRAMES, model_cost
from deeplab.planning.gpus import known_gpu
from deeplab.planning.memory import GIB
from deeplab.planning.plan import PlanLine, step_memory
from deeplab.runs.config import RunConfig
from deeplab.runs.device import device_of
from deeplab.support.errors import DataError, UsageError
from deeplab.support.machine import loader_count
from deeplab.support.pack import pack_path

# Seconds of one core for a sample, as files and packed: whole frames in PNG, photographs in JPEG
FRAME_SECONDS, FRAME_PACKED_SECONDS = 0.0591, 0.0078
PHOTO_SECONDS, PHOTO_PACKED_SECONDS = 0.0052, 0.0026
RESERVE = 1.25  # samples differ, and a queue of just the mean speed runs dry


def images_per_second(line: PlanLine) -> float:
    """Training samples that one GPU of a plan takes in a second; 0 for a row without training."""
    if not line.train_hours:
        return 0.0
    images = line.steps * line.config.batch_size
    return images / (line.train_hours * 3600 * line.config.world)


def loaders_needed(line: PlanLine, *, packed: bool) -> int:
    """Loader processes that keep one GPU of a plan busy, from the files or from a pack."""
    return math.ceil(RESERVE * images_per_second(line) * sample_seconds(line, packed=packed))


def sample_seconds(line: PlanLine, *, packed: bool) -> float:
    """Seconds of one core for a training sample, from the files or from a pack."""
    if line.config.row.dataset in FRAMES:
        return FRAME_PACKED_SECONDS if packed else FRAME_SECONDS
    return PHOTO_PACKED_SECONDS if packed else PHOTO_SECONDS


def starving(config: RunConfig) -> str | None:
    """A warning before a training whose GPU would wait for its data; None where it would not.

    None also for a run that is done, for the demo, and on a GPU of a kind that is not known.
    """
    if config.profile.name == "demo" or (config.folder / "result.json").exists():
        return None
    try:
        on_gpu = device_of(config) == "cuda"
    except UsageError:  # which the run raises itself
        return None
    facts = torch.cuda.get_device_properties(0) if on_gpu else None
    gpu = known_gpu(facts.name, facts.total_memory / GIB) if facts else None
    if gpu is None:
        return None
    line = PlanLine(config, gpu, model_cost(config), step_memory(config))
    here = loader_count() if config.workers is None else max(1, config.workers)
    packed = is_packed(config)
    needed = loaders_needed(line, packed=packed)
    if needed <= here:
        return None
    asked, loaded = images_per_second(line), here / sample_seconds(line, packed=packed)
    cure = f"give --workers {needed}, if there are cores for them"
    if not packed:
        cure = (f"deeplab data pack {config.row.dataset} makes "
                f"{loaders_needed(line, packed=True)} enough; or " + cure)
    return (f"warning: this {facts.name} takes {asked:.0f} crops a second by the plan, and "
            f"{here} loader processes decode {loaded:.0f}: it would wait for data "
            f"{100 * max(0, 1 - loaded / asked):.0f} % of the time; {cure}")


def is_packed(config: RunConfig) -> bool:
    """Whether the training split of a run has a pack."""
    label_set = get_dataset(config.row.dataset)
    try:
        root = find_root(label_set, config.real_data_root)
    except DataError:
        return False
    return pack_path(root, label_set.name, config.row.train_split).is_file()
