"""Work that waits for work, computed: batches that a GPU waits for, rows that wait for a GPU."""

import heapq
from collections.abc import Sequence
from itertools import pairwise

Step = tuple[float, float]  # seconds: when a step begins, when it ends


def feed(loaders: int, *, load: float, step: float, steps: int) -> list[Step]:
    """When a GPU does its steps if `loaders` processes take `load` seconds for each batch.

    Each loader has the next batch that nobody has; a step takes `step` seconds and needs the
    batch of its number. Batches that are done may wait without limit.

    >>> feed(1, load=3, step=2, steps=2)
    [(3, 5), (6, 8)]
    """
    free, done = 0.0, []
    for number in range(steps):
        ready = (number // loaders + 1) * load
        begin = max(ready, free)
        free = begin + step
        done.append((begin, free))
    return done


def idle(steps: Sequence[Step]) -> float:
    """The share of its time, from the first step on, that a GPU waits; 0 to 1."""
    waits = sum(later[0] - earlier[1] for earlier, later in pairwise(steps))
    return waits / (steps[-1][1] - steps[0][0])


def makespan(hours: Sequence[float], gpus: int) -> float:
    """Hours until all rows are done if each runs on one of `gpus`, the longest rows first.

    >>> makespan([4, 3, 3], 2)
    6
    """
    ends = [0] * gpus
    for one in sorted(hours, reverse=True):
        heapq.heapreplace(ends, ends[0] + one)
    return max(ends)
