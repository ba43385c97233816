"""Stopping in good order: a signal asks, the loop answers at the end of its step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

from deeplab.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # Ctrl-C, kill, preemption


class StopRequest:
    """Context in which SIGINT, SIGTERM and SIGUSR1 set `requested` instead of ending the process.

    A second signal acts at once as it would have without us: nothing is lost, since the last
    checkpoint is whole. Outside the main thread signals cannot be caught; then nothing is.
    """

    def __init__(self) -> None:
        self.requested = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._previous[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    @staticmethod
    def stopped(step: int, total_steps: int) -> Stopped:
        """What the loop raises once it has saved its state after `step` steps."""
        return Stopped.of("E-STOPPED", f"stopped as asked after step {step} of {total_steps}",
                          do="run the same command again: it goes on from here")
