"""What runs on a worker of a Dask cluster: `deeplab run` in a process, and its end in time.

A worker ends before the table does: with its SLURM job, when it is signalled, when its scheduler
is gone. Its row saves its state first, and it takes no new one shortly before.
"""

import asyncio
import os
import subprocess
import threading
import time
from pathlib import Path

from distributed import Worker, WorkerPlugin, get_worker
from distributed.core import Status

from deeplab.runs.batch import POLL_SECONDS, SAVE_SECONDS, start_row
from deeplab.runs.slurm import job_times
from deeplab.support.errors import LockedError, Stopped

LOCK_LEASE_SECONDS = 120  # after which a network disk frees the lock of a lost machine
RETRY_SECONDS = 5  # between two trials of a locked row
SAVE_BEFORE_END_SECONDS = 600  # before the end of a SLURM job its row saves and stops
SHARE_BEFORE_END = 0.2  # of a job that is so short that this is less
WORKER_END_SECONDS = 20  # after its rows have saved, until a worker that hangs is ended


class RowKeeper(WorkerPlugin):
    """A plugin of Dask's workers for one table: its rows save before it is taken from a worker.

    That happens when the worker ends, for whatever reason it is told, and when the table stops.
    """

    def setup(self, worker: Worker) -> None:
        """Dask calls this on each worker; rows start after it."""
        self.worker, self.stopping, self.rows = worker, threading.Event(), 0

    async def teardown(self, worker: Worker) -> None:
        """Dask calls this and waits before a worker ends, or a table takes the plugin back."""
        self.stopping.set()
        deadline = time.monotonic() + SAVE_SECONDS
        while self.rows and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
        is_closing = worker.status in (Status.closing, Status.closing_gracefully)
        if is_closing and "SLURM_JOB_ID" in os.environ:
            # Of a scheduler that is gone Dask may wait for ever, and would keep the job's nodes.
            end = threading.Timer(WORKER_END_SECONDS, os._exit, [0])
            end.daemon = True
            end.start()

    def leave(self) -> None:
        """Let the worker end, and take no more rows; from the thread of a row."""
        self.worker.loop.add_callback(self.worker.close_gracefully,
                                      reason="its SLURM job is about to end")


def run_remote(command: list[str], log: str, threads: int, keeper: str) -> int:
    """Run `deeplab command` on a worker that has the plugin `keeper`; returns the exit code.

    Dask calls this. A row that another machine still holds, which may be lost, is tried again.
    """
    mine = get_worker().plugins[keeper]
    end, patience = save_time(), time.monotonic() + LOCK_LEASE_SECONDS
    mine.rows += 1
    try:
        while time.time() < end and not mine.stopping.is_set():
            code = _watched(start_row(command, Path(log), threads), mine.stopping, end)
            if code != LockedError.exit_code or time.monotonic() > patience:
                return code
            mine.stopping.wait(RETRY_SECONDS)
        return Stopped.exit_code
    finally:
        mine.rows -= 1
        if time.time() > end:
            mine.leave()


def _watched(process: subprocess.Popen, stopping: threading.Event, end: float) -> int:
    """The exit code of a row's process, which is asked to save when it is time."""
    is_told = False
    while process.poll() is None:
        time.sleep(POLL_SECONDS)
        if not is_told and (stopping.is_set() or time.time() > end):
            process.terminate()
            is_told = True
    return process.returncode


def save_time() -> float:
    """When a row in this process's SLURM job is to save, seconds since 1970; else infinity."""
    start, end = job_times()
    return end - min(SAVE_BEFORE_END_SECONDS, SHARE_BEFORE_END * (end - start))
