"""Signals that ask a training to stop after its step, and children that end with their parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType

from deeplab.support.crash import crash_point
from deeplab.support.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # Ctrl-C, kill, preemption
SAME_REQUEST_SECONDS = 2.0  # further signals within are the same request, sent to a group
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


class StopRequest:
    """Context in which SIGINT, SIGTERM and SIGUSR1 set `requested` instead of ending the process.

    A signal two seconds later acts at once as it would have without us: nothing is lost, since
    the last checkpoint is whole. Outside the main thread nothing is caught.
    """

    def __init__(self) -> None:
        self.requested = False
        self._asked = 0.0
        self._handler = contextlib.ExitStack()

    def __enter__(self) -> StopRequest:
        self._handler.enter_context(signal_handler(self._ask))
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if not self.requested:
            self.requested, self._asked = True, time.monotonic()
        elif time.monotonic() - self._asked > SAME_REQUEST_SECONDS:
            self._handler.close()
            os.kill(os.getpid(), number)

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._handler.close()

    def watch(self, step: int, total_steps: int) -> Callable[[int, int], None]:
        """A progress function for an evaluation after `step` steps, which ends it when asked."""
        def progress(done: int, total: int) -> None:
            crash_point("evaluation")
            if self.requested:
                raise self.stopped(step, total_steps)
        return progress

    @staticmethod
    def stopped(step: int, total_steps: int) -> Stopped:
        """What the loop raises once it has saved its state after `step` steps."""
        return Stopped.of("E-STOPPED", f"stopped as asked after step {step} of {total_steps}",
                          do="run the same command again: it goes on from here")


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
