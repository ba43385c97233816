"""The request to stop that a signal makes, and that the loop grants after its step."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from types import FrameType, TracebackType

from deeplab.support.crash import crash_point
from deeplab.support.errors import Stopped
from deeplab.support.signals import signal_handler

SAME_REQUEST_SECONDS = 2.0  # further signals within are the same request, sent to a group


class StopRequest:
    """Context in which `SIGNALS` set `requested` instead of ending the process.

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
