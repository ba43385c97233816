"""One task at a time in a thread of its own, whose error is not lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from deeplab.support.errors import Stopped


class Background:
    """A context in which `start` lets a task run beside the block, one after the other.

    What a task raises is raised by the next `start` or `wait`, or at the end of the block: there
    unless the block ends with an error of its own. `Stopped` gives way, because it says that all
    is saved.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, task: Callable[[], object]) -> None:
        """Begin `task` when the one before has ended; raises what that raised."""
        self.wait()
        self._thread = threading.Thread(target=self._run, args=(task,))
        self._thread.start()

    def wait(self) -> None:
        """Wait until the task has ended; raises what it raised."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _run(self, task: Callable[[], object]) -> None:
        try:
            task()
        except BaseException as error:
            self._error = error

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if error is None or isinstance(error, Stopped):
            self.wait()
        elif self._thread is not None:
            self._thread.join()
