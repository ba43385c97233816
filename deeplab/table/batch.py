"""Run many rows at once on this machine: one process each, cores divided among them.

Each process is a plain `deeplab run`, which is idempotent, locked and resumable; this module
only starts them, watches their files and reports. A row that fails leaves the others running.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deeplab.files import atomic_write
from deeplab.table.config import RunConfig
from deeplab.table.status import duration, read_status, status_line

POLL = 0.5  # seconds between two looks at the processes
GRACE = 90  # seconds that rows get to save after Ctrl-C
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass
class Job:
    """One row and the process that runs it."""

    config: RunConfig
    process: subprocess.Popen | None = None

    @property
    def name(self) -> str:
        """The row, and the seed where it is not 0."""
        seed = self.config.seed
        return self.config.row.row_id + (f" seed {seed}" if seed else "")

    @property
    def log(self) -> Path:
        """What the process printed."""
        return self.config.folder / "run.log"

    def start(self, threads: int) -> None:
        """Start the row's process with `threads` threads and a session of its own."""
        environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
        atomic_write(self.log, "")
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deeplab", *self.config.command],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment,
                start_new_session=True)

    @property
    def code(self) -> int | None:
        """The exit code, None while it runs or waits."""
        return self.process.poll() if self.process else None


def run_rows(configs: list[RunConfig], *, jobs: int,
             say: Callable[[str], None] = print) -> dict[str, int]:
    """Run all `configs`, `jobs` at a time; returns the exit code of each that was started.

    Long rows are started first, so that the last minutes do not wait for one of them. After
    Ctrl-C or SIGTERM no more rows start, and the running ones save and stop.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    waiting = sorted((Job(config) for config in configs), key=lambda job: -weight(job.config))
    table, running, ended, begin = Screen(waiting, say), [], [], time.monotonic()
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(waiting.pop(0))
                running[-1].start(threads)
            time.sleep(POLL)
            for job in [job for job in running if job.code is not None]:
                running.remove(job)
                ended.append(job)
                table.ended(job)
            table.show()
    except KeyboardInterrupt:
        say("\nstopping: the running rows save their state")
        _stop(running)
        ended += running
    finally:
        signal.signal(signal.SIGTERM, previous)
    say(f"{sum(job.code == 0 for job in ended)} of {len(configs)} rows done "
        f"in {duration(time.monotonic() - begin)}")
    return {job.name: job.code if job.code is not None else 75 for job in ended}


def weight(config: RunConfig) -> float:
    """About how long a row takes relative to others: pixels times depth times resolution."""
    depth = int(config.row.backbone.removeprefix("resnet"))
    return (config.row.crop_height * config.row.crop_width * (depth + 50)
            * (1.5 if config.row.output_stride == 8 else 1) * config.row.num_classes ** 0.2)


def _stop(running: list[Job]) -> None:
    for job in running:
        job.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for job in running:
        try:
            job.process.wait(max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(job.process.pid, signal.SIGKILL)


class Screen:
    """The live table: redrawn in place on a terminal, a line per event anywhere else."""

    def __init__(self, jobs: list[Job], say: Callable[[str], None]):
        self.jobs = list(jobs)
        self.say = say
        self.is_terminal = sys.stdout.isatty()
        self._height = 0

    def ended(self, job: Job) -> None:
        """Report a row that ended."""
        if self.is_terminal and job.code == 0:
            return
        last = read_status(job.config.folder)
        text = status_line(job.name, last)
        if job.code != 0:
            message = job.log.read_text(encoding="utf-8", errors="replace").strip()
            text = f"{job.name}: exit code {job.code}\n{message[-2000:]}"
        self._erase()
        self.say(text)

    def show(self) -> None:
        """Redraw the table, on a terminal only."""
        if not self.is_terminal:
            return
        lines = [status_line(job.name, read_status(job.config.folder)) for job in self.jobs]
        self._erase()
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        self._height = len(lines)

    def _erase(self) -> None:
        if self._height:
            sys.stdout.write(f"\x1b[{self._height}A\x1b[J")
            self._height = 0
