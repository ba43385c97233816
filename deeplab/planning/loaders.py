"""Processes that decode and augment fast enough for a GPU not to wait for its data.

The time of a sample was measured on one core (benchmarks/README.md), the speed of the GPU is
planned; neither is yours.
"""

import math

from deeplab.planning.cost import FRAMES
from deeplab.planning.plan import PlanLine

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
    if line.config.row.dataset in FRAMES:
        seconds = FRAME_PACKED_SECONDS if packed else FRAME_SECONDS
    else:
        seconds = PHOTO_PACKED_SECONDS if packed else PHOTO_SECONDS
    return math.ceil(RESERVE * images_per_second(line) * seconds)
