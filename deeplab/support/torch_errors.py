"""What PyTorch says of missing memory, dead loader processes and broken GPUs, as our errors."""

import contextlib
import errno
import time
from collections.abc import Iterator

import torch

from deeplab.support.errors import ResourceError

NO_MEMORY = ("can't allocate memory", "cannot allocate memory",
             "out of memory",  # of CUDA, MPS, and "CUDA error: out of memory"
             "status_alloc_failed",  # of cuDNN and cuBLAS
             "allocation_failed")  # of cuDNN since version 9
DEAD_WORKER = ("exited unexpectedly", "is killed by signal")  # after "DataLoader worker (pid 7)"
FULL_SHARED_MEMORY = ("shared memory", "unable to write to file </torch_", "unable to mmap",
                      "unable to resize file </torch_")  # as PyTorch and NCCL say it
NO_SEMAPHORES = (errno.ENOSPC, errno.EACCES, errno.ENOENT, errno.ENOSYS)  # where /dev/shm is bad
BROKEN_GPU = ("cuda error", "cuda driver", "no cuda gpus are available", "nccl error",
              "cuda unknown error")
LOST_WORKER = (ConnectionError, EOFError)  # of one that dies while it hands over a batch
NOTICE_SECONDS = 1.0  # seconds, at most, from a lost connection to PyTorch's notice of the death
GOES_ON = "the same command goes on from the last checkpoint"
# what takes less memory, or more of it, in the words of `deeplab run`
LESS_MEMORY = ("use --checkpoint-activations, more or larger GPUs (--gpus), or a smaller profile "
               "(in a notebook the parameters of these names); which of them fit your GPU is told "
               f"by: deeplab plan --gpu NAME; {GOES_ON}")


@contextlib.contextmanager
def translate_torch_errors(what: str, workers: int = 0,
                           less: str = LESS_MEMORY) -> Iterator[None]:
    """Turn what PyTorch says of memory, GPUs and `workers` loader processes into our errors.

    Raises `ResourceError`: E-OOM (not enough memory for `what`, and what to do for `less`),
    E-WORKER, E-CUDA. The batch is never made smaller silently: with other BatchNorm statistics
    the run would no longer be the recipe.
    """
    try:
        yield
    except (RuntimeError, MemoryError, OSError, EOFError) as error:
        is_cut_off = workers > 0 and isinstance(error, LOST_WORKER)
        if is_cut_off:
            _await_notice()
        raise _as_ours(error, what, workers, is_cut_off, less) or error  # with its cause, if ours


def _as_ours(error: Exception, what: str, workers: int, is_cut_off: bool,
             less: str) -> ResourceError | None:
    """The error in our words, None if it is none of those."""
    text, ours = str(error).lower(), None
    first, *_, last = (str(error).strip() or type(error).__name__).splitlines() * 2
    if _is_shared_memory_full(error, workers):
        ours = ResourceError.of(
            "E-WORKER", "processes find no room in shared memory (/dev/shm)", found=last,
            expected=f"room for the batches of {workers} loader processes",
            do="use --workers 0, or give the container more (docker run --shm-size 8g); "
               + GOES_ON)
    elif is_cut_off or "dataloader worker" in text and any(
            words in text for words in DEAD_WORKER):
        ours = ResourceError.of(
            "E-WORKER", "a process that loads the data was killed", found=first,
            expected=f"{workers} loader processes",
            do=f"often memory or /dev/shm is full: use --workers 0 or a larger --shm-size; "
               f"{GOES_ON}")
    elif isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
            words in text for words in NO_MEMORY):
        ours = ResourceError.of("E-OOM", f"not enough memory for {what}", found=first, do=less)
    elif any(words in text for words in BROKEN_GPU):
        ours = ResourceError.of(
            "E-CUDA", "a GPU cannot be used, or no longer", found=first,
            do="see deeplab doctor and nvidia-smi (another process may hold the GPU, or it needs "
               f"a restart); {GOES_ON}")
    if ours:
        ours.__cause__ = error
    return ours


def _is_shared_memory_full(error: Exception, workers: int) -> bool:
    """Whether shared memory has no room for a batch, or cannot hold Python's semaphores."""
    text = str(error).lower()
    if workers and isinstance(error, OSError):  # of a file it would name the file
        return error.errno in NO_SEMAPHORES and error.filename is None
    return (workers > 0 or "nccl" in text) and any(words in text for words in FULL_SHARED_MEMORY)


def _await_notice() -> None:
    """Let PyTorch's notice of a dead loader, raised by its signal handler, come here.

    The system breaks a connection a moment before it reports the death of the process behind
    it, and the notice would interrupt whatever runs then.
    """
    with contextlib.suppress(RuntimeError):
        time.sleep(NOTICE_SECONDS)
