"""Checks for losses and weights that are not finite, and PyTorch's errors turned into ours."""

import contextlib
import errno
import math
import time
from collections.abc import Iterator

import torch

from deeplab.support.errors import DivergedError, ResourceError

NO_MEMORY = ("can't allocate memory", "cannot allocate memory", "out of memory")
DEAD_WORKER = ("exited unexpectedly", "is killed by signal")  # after "DataLoader worker (pid 7)"
FULL_SHARED_MEMORY = ("shared memory", "unable to write to file </torch_", "unable to mmap",
                      "unable to resize file </torch_")  # as PyTorch says it
NO_SEMAPHORES = (errno.ENOSPC, errno.EACCES, errno.ENOENT, errno.ENOSYS)  # where /dev/shm is bad
LOST_WORKER = (ConnectionError, EOFError)  # of one that dies while it hands over a batch
NOTICE_SECONDS = 1.0  # seconds, at most, from a lost connection to PyTorch's notice of the death


def check_finite(recent: list[float], *, step: int, lr: float) -> list[float]:
    """The `recent` losses; raises `DivergedError` (E-DIVERGED) if the newest is not finite."""
    if math.isfinite(recent[-1]):
        return recent
    raise DivergedError.of(
        "E-DIVERGED", f"the loss is no longer finite at step {step}",
        found=", ".join(f"{loss:.4g}" for loss in recent), expected="finite numbers",
        do=f"look at the data of this step, or lower the learning rate ({lr:.4g}); "
           "the last good checkpoint is kept")


def check_weights(model: torch.nn.Module, step: int) -> None:
    """Raise `DivergedError` (E-DIVERGED) for a weight or BatchNorm statistic that is not finite.

    A step may end with a finite loss and an infinite gradient; saved, it could not be undone.
    """
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            raise DivergedError.of(
                "E-DIVERGED", f"a weight is no longer finite after step {step}", found=name,
                expected="finite numbers", do="run the same command again to go on from the "
                "last good checkpoint; if it happens again, lower the learning rate")


@contextlib.contextmanager
def translate_torch_errors(batch_size: int, workers: int) -> Iterator[None]:
    """Turn what PyTorch says of missing memory and dead loader processes into our errors.

    Raises `ResourceError`: E-OOM, E-WORKER. The batch is never made smaller silently: with
    other BatchNorm statistics the run would no longer be the recipe.
    """
    try:
        yield
    except (RuntimeError, MemoryError, OSError, EOFError) as error:
        text = str(error).lower()
        is_cut_off = workers > 0 and isinstance(error, LOST_WORKER)
        if is_cut_off:
            _await_notice()
        if workers > 0 and _is_shared_memory_full(error):
            raise ResourceError.of(
                "E-WORKER", "the loader processes find no room in shared memory (/dev/shm)",
                found=(str(error).strip() or type(error).__name__).splitlines()[-1],
                expected=f"room for the batches of {workers} loader processes",
                do="use --workers 0, or give the container more (docker run --shm-size 8g); "
                   "the same command goes on from the last checkpoint") from error
        if is_cut_off or "dataloader worker" in text and any(
                words in text for words in DEAD_WORKER):
            raise ResourceError.of(
                "E-WORKER", "a process that loads the data was killed",
                found=(str(error) or type(error).__name__).splitlines()[0],
                expected=f"{workers} loader processes",
                do="often memory or /dev/shm is full: use --workers 0 or a larger --shm-size; "
                   "the same command goes on from the last checkpoint") from error
        if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
                words in text for words in NO_MEMORY):
            raise ResourceError.of(
                "E-OOM", f"not enough memory for a step of {batch_size} images",
                found=(str(error) or "MemoryError").splitlines()[0],
                do="use more or larger GPUs (--gpus), or a smaller profile; the same command "
                   "goes on from the last checkpoint") from error
        raise


def _is_shared_memory_full(error: Exception) -> bool:
    """Whether shared memory has no room for a batch, or cannot hold Python's semaphores."""
    if isinstance(error, OSError):  # of a file it would name the file
        return error.errno in NO_SEMAPHORES and error.filename is None
    return any(words in str(error).lower() for words in FULL_SHARED_MEMORY)


def _await_notice() -> None:
    """Let PyTorch's notice of a dead loader, raised by its signal handler, come here.

    The system breaks a connection a moment before it reports the death of the process behind
    it, and the notice would interrupt whatever runs then.
    """
    with contextlib.suppress(RuntimeError):
        time.sleep(NOTICE_SECONDS)
