"""What a table says while it runs: a line for each event, and on a terminal what is at work."""

import math
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from deeplab.runs.status import read_status, status_line
from deeplab.support.plain import printable

REPAINT_SECONDS = 0.5  # between two looks at the files of the rows
AT_WORK = ("starting", "running")
LAST_CHARACTERS = 2000  # of what a failed row printed


class LiveTable:
    """Lines that scroll are events; below them a terminal shows the rows at work, in place.

    What is shown in place never fills the terminal, however low or narrow it is: a line that
    has scrolled away could not be taken back.
    """

    def __init__(self, jobs: Sequence[Any], say: Callable[[str], None]):
        self.left, self.say = list(jobs), say
        self.is_terminal = sys.stdout.isatty()
        self._painted: list[str] = []
        self._looked = -math.inf

    def ended(self, job: Any) -> None:
        """Report a row that ended."""
        self.left.remove(job)
        text = status_line(job.name, read_status(job.config.folder))
        if job.code != 0:
            message = job.log.read_text(encoding="utf-8", errors="replace").strip()
            words = printable(message[-LAST_CHARACTERS:].replace("\r", "\n"), keep="\n\t")
            text = f"{job.name}: exit code {job.code}\n{words}"
        self._erase()
        self.say(text)

    def show(self) -> None:
        """Show the rows at work, on a terminal only."""
        if not self.is_terminal or time.monotonic() - self._looked < REPAINT_SECONDS:
            return
        self._looked = time.monotonic()
        found = [(job.name, read_status(job.config.folder)) for job in self.left]
        lines = [status_line(name, status) for name, status in found if status.state in AT_WORK]
        self._erase()
        self._painted = fitting(lines, len(found) - len(lines), *shutil.get_terminal_size())
        sys.stdout.write("".join(f"{line}\n" for line in self._painted))
        sys.stdout.flush()

    def _erase(self) -> None:
        """Take back what was shown, also where the terminal has become narrower since."""
        columns = max(1, shutil.get_terminal_size().columns)
        height = sum(max(1, math.ceil(len(line) / columns)) for line in self._painted)
        if height:
            sys.stdout.write(f"\x1b[{height}A\r\x1b[J")
        self._painted = []


def fitting(lines: Sequence[str], waiting: int, columns: int, rows: int) -> list[str]:
    """As many of `lines` as a terminal has room for, and a last one that counts the others."""
    if rows < 2:
        return []
    room = rows - 2  # without the last line, and the one that the cursor is on
    shown = list(lines[:room])
    rest = [f"{len(lines) - len(shown)} more at work"] * (len(lines) > len(shown)) + [
        f"{waiting} waiting"] * bool(waiting)
    return [line[:max(1, columns - 1)] for line in [*shown, *[", ".join(rest)] * bool(rest)]]
