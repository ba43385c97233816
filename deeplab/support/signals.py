"""Signals taken for the length of a block, and processes that end with their parent."""

import contextlib
import ctypes
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

# Ctrl-C, kill, a closed terminal, preemption; Windows has the first two
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
                if hasattr(signal, name))
HANGUP = getattr(signal, "SIGHUP", None)
PARENT = "DEEPLAB_PARENT"  # names the process with which a child wants to end
KERNEL_PARENT = "JPY_PARENT_PID"  # in which Jupyter names the process that started a kernel
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


@contextlib.contextmanager
def signal_handler(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Let `handler` take `SIGNALS` inside the block; the earlier ones return.

    SIGHUP is left alone where it is ignored, as nohup does. Outside the main thread signals
    cannot be caught; then nothing is.
    """
    def take(number: int, frame: FrameType | None) -> None:
        if number == HANGUP:
            _leave_terminal()
        handler(number, frame)

    is_main = threading.current_thread() is threading.main_thread()
    previous = {number: signal.signal(number, take) for number in SIGNALS
                if is_main and not _is_ignored(number)}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def _is_ignored(number: int) -> bool:
    return number == HANGUP and signal.getsignal(number) is signal.SIG_IGN


def _leave_terminal() -> None:
    """Let what is printed from now on go nowhere: writing to a closed terminal is an error."""
    for output in (1, 2):
        with contextlib.suppress(OSError):  # it may not be open
            if stat.S_ISCHR(os.fstat(output).st_mode):  # isatty() says no of a closed one
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, output)
                os.close(nowhere)


def die_with_parent() -> None:
    """End this process, by SIGKILL, as soon as the one ends that started it.

    Without this a killed runner would leave its training running, unseen. The starter gives
    its process id in $DEEPLAB_PARENT; without it, and on other systems than Linux, nothing
    happens. The kernel of a notebook that somebody else started (papermill, JupyterLab) gets
    SIGUSR1 instead, a request to save: its terminal, which it does not share, may have closed.
    """
    parent = os.environ.pop(PARENT, None)
    if sys.platform != "linux":
        return
    if parent is None:
        if os.environ.get(KERNEL_PARENT) == str(os.getppid()):
            _on_parents_end(signal.SIGUSR1)
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
        _on_parents_end(signal.SIGKILL)


def _on_parents_end(number: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
