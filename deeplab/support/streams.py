"""Work of a GPU that the host does not wait for: batches that come early, numbers read late.

A GPU does what it is told in order and by itself. Whoever asks for a number, or copies from
memory that is not pinned, waits until it has caught up, and then the GPU waits for the next
order. On a CPU nothing of this matters: batches come when they are asked for, and numbers are
there at once.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
Batch = tuple[Tensor, ...]


def prefetched(items: Iterable[T], to_device: Callable[[T], Batch], device: str) -> Iterator[Batch]:
    """`to_device(item)` of each item; on CUDA that of the next one is under way already.

    There it is ordered on a stream of its own, beside the step that uses the batch before.
    `to_device` must not wait: copies are from pinned memory and `non_blocking`.
    """
    if not device.startswith("cuda"):
        yield from map(to_device, items)
        return
    stream, coming = torch.cuda.Stream(), None
    for item in items:
        with torch.cuda.stream(stream):
            batch = to_device(item)
            ready = stream.record_event()
        if coming:
            yield _handed_over(*coming)
        coming = batch, ready
    if coming:
        yield _handed_over(*coming)


def _handed_over(batch: Batch, ready: torch.cuda.Event) -> Batch:
    """The batch for the current stream, which waits for it and keeps its memory while it works."""
    current = torch.cuda.current_stream()
    current.wait_event(ready)
    for tensor in batch:
        tensor.record_stream(current)
    return batch


class LateValues:
    """Scalars on their way to the host; reading them waits for their step, not for later ones."""

    def __init__(self, *scalars: Tensor):
        together = torch.stack([scalar.detach() for scalar in scalars])
        self._values = together.to("cpu", non_blocking=True)  # into pinned memory
        self._copied = torch.cuda.current_stream().record_event() if together.is_cuda else None

    def read(self) -> list[float]:
        """The numbers."""
        if self._copied:
            self._copied.synchronize()
        return self._values.tolist()
