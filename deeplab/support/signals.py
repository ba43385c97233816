"""Signals taken for the length of a block, and processes that end with their parent."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # Ctrl-C, kill, preemption
PARENT = "DEEPLAB_PARENT"  # names the process with which a child wants to end
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@contextlib.contextmanager
def signal_handler(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Let `handler` take SIGINT, SIGTERM and SIGUSR1 inside the block; the earlier ones return.

    Outside the main thread signals cannot be caught; then nothing is.
    """
    is_main = threading.current_thread() is threading.main_thread()
    previous = {number: signal.signal(number, handler) for number in SIGNALS if is_main}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def die_with_parent() -> None:
    """End this process, by SIGKILL, as soon as the one ends that started it.

    Without this a killed runner would leave its training running, unseen. The starter gives
    its process id in $DEEPLAB_PARENT; without it, and on other systems than Linux, nothing
    happens.
    """
    parent = os.environ.pop(PARENT, None)
    if parent is None or sys.platform != "linux":
        return
    die_with(int(parent))
    if os.getppid() != int(parent):  # it ended before we asked
        os.kill(os.getpid(), signal.SIGKILL)


def die_with(parent: int, worker: int | None = None) -> None:
    """Ask Linux to end this process, by SIGKILL, when `parent` ends, if that started it.

    For the processes of a data loader (number `worker`) too: they would look for their parent
    every five seconds only, and hold its lock meanwhile.
    """
    if sys.platform == "linux" and os.getppid() == parent:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
