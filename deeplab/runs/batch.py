"""Run many rows at once on this machine: one process each, cores divided among them.

Each process is a plain `deeplab run`, which is idempotent, locked and resumable; this module
only starts them, watches their files and reports. A row that fails leaves the others running.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deeplab.runs.chosen import relative_cost
from deeplab.runs.config import RunConfig
from deeplab.runs.device import device_of
from deeplab.runs.live import LiveTable
from deeplab.runs.result import finished_result, stale, standing
from deeplab.runs.run_row import THREAD_VARIABLES
from deeplab.runs.status import duration
from deeplab.support.cuda import visible_gpus
from deeplab.support.errors import DeeplabError
from deeplab.support.files import open_output
from deeplab.support.folders import check_clone
from deeplab.support.machine import child_search_path, core_count
from deeplab.support.scores import score_words
from deeplab.support.signals import PARENT, signal_handler

POLL_SECONDS = 0.2  # seconds between two looks at the processes
SAVE_SECONDS = 90  # seconds that rows get to save after Ctrl-C


@dataclass
class Job:
    """One row and how it goes."""

    config: RunConfig
    again: bool = False  # make anew what no longer fits
    process: subprocess.Popen | None = None
    code: int | None = None  # what the row ended with, None while it runs or waits
    slot: tuple[str, ...] = ()  # the GPUs that it got, by name

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
        """Start the row's process with `threads` threads."""
        self.process = start_row(row_command(self.config, self.again), self.log, threads,
                                 self.slot)

    def has_ended(self) -> bool:
        """Whether the process has ended; `code` is then its exit code."""
        self.code = self.process.poll()
        return self.code is not None


def left_to_run(configs: list[RunConfig],
                say: Callable[[str], None] = print) -> tuple[list[RunConfig], dict[str, int]]:
    """Those of `configs` that are to run, and the exit codes of the others, after saying why."""
    left, codes = [], {}
    for config in configs:
        name = Job(config).name
        try:
            error = stale(config)
            done = None if error or standing(config).changed else finished_result(config)
        except DeeplabError as damage:
            error, done = damage, None
        if error:
            codes[name] = error.exit_code
            say(f"{name}: {error}")
        elif done:
            codes[name] = 0
            say(f"{name}: skipped, it is done: mIoU {score_words(done['miou'])} after "
                f"{done['steps']} of {done['total_steps']} steps, with today's code and data")
        else:
            left.append(config)
    return left, codes


def row_command(config: RunConfig, again: bool) -> list[str]:
    """The words of the `deeplab` command of a row, with `--again` if asked for."""
    return [*config.command, *["--again"] * again]


def start_row(command: list[str], log: Path, threads: int,
              gpus: tuple[str, ...] = ()) -> subprocess.Popen:
    """Start `deeplab command`, which sees `gpus` only; it prints to `log` and ends with us."""
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads)) | {
        PARENT: str(os.getpid()), "PYTHONPATH": child_search_path()}
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    with open_output(log) as output:
        return subprocess.Popen([sys.executable, "-m", "deeplab", *command],
                                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                env=environment, start_new_session=True)


def gpu_slots(configs: list[RunConfig]) -> list[tuple[str, ...]]:
    """Groups of this machine's GPUs, each for one row; none where the rows run on CPUs.

    All rows of a table ask for the same number; too few GPUs for one are given whole, and the row
    says so (E-GPUS).
    """
    if not configs or device_of(configs[0]) != "cuda":
        return []
    gpus, each = visible_gpus(), configs[0].gpus or 1
    slots = [tuple(gpus[at:at + each]) for at in range(0, len(gpus) - each + 1, each)]
    return slots or [tuple(gpus)] * bool(gpus)


def run_rows(configs: list[RunConfig], *, jobs: int | None = None, again: bool = False,
             say: Callable[[str], None] = print) -> dict[str, int]:
    """Run all `configs`, `jobs` at a time (default: as many as slots of GPUs, or as cores).

    No two rows share a GPU, whatever `jobs` says. Returns the exit code of each that was started.
    After Ctrl-C or another of `SIGNALS` no more rows start, and the running ones save and stop.
    """
    check_clone()
    free = gpu_slots(configs)
    jobs = min(jobs or len(free) or core_count(), len(free) or sys.maxsize)
    threads = max(1, core_count() // jobs)
    waiting = longest_first(configs, again)
    table, running, ended, begin = LiveTable(waiting, say), [], [], time.monotonic()
    with interruptible():
        try:
            while waiting or running:
                while len(running) < jobs and (job := next_job(waiting, running)):
                    waiting.remove(job)
                    running.append(job)
                    running[-1].slot = free.pop(0) if free else ()
                    running[-1].start(threads)
                time.sleep(POLL_SECONDS)
                for job in [job for job in running if job.has_ended()]:
                    running.remove(job)
                    free += [job.slot] * bool(job.slot)
                    ended.append(job)
                    table.ended(job)
                table.show()
        except KeyboardInterrupt:
            say("\nstopping: the running rows save their state")
            _stop(running)
            ended += running
    return summary(ended, len(configs), time.monotonic() - begin, say)


def next_job(waiting: list[Job], running: list[Job]) -> Job | None:
    """The first waiting job whose training is none that a running one may be at, or None."""
    busy = [job.config.training for job in running]
    return next((job for job in waiting if job.config.training not in busy), None)


def interruptible() -> contextlib.AbstractContextManager[None]:
    """A context in which all `SIGNALS` raise `KeyboardInterrupt`, as Ctrl-C does."""
    return signal_handler(signal.default_int_handler)


def longest_first(configs: list[RunConfig], again: bool = False) -> list[Job]:
    """A job for each run, in falling order of `relative_cost`: a long one must not start last."""
    return [Job(config, again) for config in sorted(configs, key=relative_cost, reverse=True)]


def summary(ended: list[Job], count: int, seconds: float,
            say: Callable[[str], None]) -> dict[str, int]:
    """Say how many of `count` rows are done; returns the exit codes, 75 for a stopped row."""
    say(f"{sum(job.code == 0 for job in ended)} of {count} rows done in {duration(seconds)}")
    return {job.name: 75 if job.code is None else job.code for job in ended}


def _stop(running: list[Job]) -> None:
    for job in running:
        job.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + SAVE_SECONDS
    for job in running:
        try:
            code = job.process.wait(max(1, deadline - time.monotonic()))
            job.code = None if code == -signal.SIGTERM else code  # it had not yet begun
        except subprocess.TimeoutExpired:
            os.killpg(job.process.pid, signal.SIGKILL)
