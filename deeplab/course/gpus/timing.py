"""Seconds that can be believed: after a warm-up, several times, and only once the work is done.

A GPU is handed its work and does it by itself; a clock that is read before it has finished
measures the handing over.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

WARM_UP, REPEATS = 1, 5


def synchronise(device: str) -> None:
    """Wait until `device` has done all that it was handed; a CPU always has."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def median_seconds(work: Callable[[], Any], *, device: str = "cpu", warm_up: int = WARM_UP,
                   repeats: int = REPEATS) -> float:
    """The median of how long `work()` takes on `device`, over `repeats` calls.

    The first `warm_up` calls are not counted: they choose kernels and reserve memory.
    """
    for _ in range(warm_up):
        work()
    taken = []
    for _ in range(repeats):
        synchronise(device)
        start = time.perf_counter()
        work()
        synchronise(device)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
