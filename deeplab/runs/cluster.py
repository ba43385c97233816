"""Run many rows on the machines of a cluster: Dask gives each row to a free worker.

A worker only starts `deeplab run`, which is idempotent, locked and resumable; so a row whose
worker is lost runs again elsewhere and goes on from its last checkpoint. The results folder
must be the same for all machines. Needs `pip install "deeplab[cluster]"`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from deeplab.runs.batch import (POLL_SECONDS, SAVE_SECONDS, Job, LiveTable, interruptible,
                                longest_first, row_command, start_row, summary)
from deeplab.runs.config import RunConfig
from deeplab.support.errors import KernelDied, LockedError, Stopped, UsageError
from deeplab.support.files import open_output

MOST_LOST_WORKERS = 20  # while they hold one row; Dask's own 3 blames the row too soon
MOST_RESUBMITS = 50  # of a row that stopped with 75, e.g. at the end of its SLURM job
LOCK_LEASE_SECONDS = 120  # seconds after which a network disk frees the lock of a lost machine
SAVE_BEFORE_END_SECONDS = 600  # before the end of a SLURM job its row saves and stops
CORES, MEMORY, HOURS = 8, "48GB", 24  # of a SLURM job, unless a directive says otherwise
CONNECT_SECONDS = 20  # seconds in which a scheduler must answer
STOP = "deeplab-stop"  # the name under which workers learn that they should stop


def run_on_cluster(configs: list[RunConfig], where: str, *, jobs: int | None = None,
                   directives: Sequence[str] = (), again: bool = False,
                   say: Callable[[str], None] = print) -> dict[str, int]:
    """Run all `configs` on the cluster `where`; returns the exit code of each.

    `where` is the address of a Dask scheduler or "slurm", where `jobs` are asked for (default:
    one for each row). Raises `UsageError` (E-CLUSTER) if there is none.
    """
    waiting, begin = longest_first(configs, again), time.monotonic()
    screen, ended = LiveTable(waiting, say), []
    with _connected(where, configs, jobs or len(configs), directives) as client, interruptible():
        from distributed import Event
        stop, tries = Event(STOP, client=client), Counter()
        stop.clear()
        running = {_submit(client, job): job for job in waiting}
        try:
            while running:
                time.sleep(POLL_SECONDS)
                for future, job in [item for item in running.items() if item[0].done()]:
                    del running[future]
                    job.code = _exit_code(future, job)
                    future.release()  # or Dask would compute a finished row again
                    tries[job.name] += 1
                    if job.code == Stopped.exit_code and tries[job.name] < MOST_RESUBMITS:
                        running[_submit(client, job)] = job
                        continue
                    ended.append(job)
                    screen.ended(job)
                screen.show()
        except KeyboardInterrupt:
            say("\nstopping: the running rows save their state")
            stop.set()
            _wait(running)
            ended += running.values()
    return summary(ended, len(configs), time.monotonic() - begin, say)


def run_remote(command: list[str], log: str, threads: int) -> int:
    """Run `deeplab command` on a worker and return its exit code; Dask calls this."""
    from distributed import Event
    stop, end = Event(STOP), float(os.environ.get("SLURM_JOB_END_TIME") or "inf")
    patience = time.monotonic() + LOCK_LEASE_SECONDS
    while True:
        process, is_told = start_row(command, Path(log), threads), False
        while process.poll() is None:
            time.sleep(POLL_SECONDS)
            if not is_told and (time.time() > end - SAVE_BEFORE_END_SECONDS or stop.is_set()):
                process.terminate()
                is_told = True
        if process.returncode != LockedError.exit_code or time.monotonic() > patience:
            return process.returncode
        time.sleep(5)


def sbatch_script(configs: list[RunConfig], directives: Sequence[str] = (),
                  again: bool = False) -> str:
    """The text of a job script: a SLURM array with one task for each run."""
    commands = "\n".join(f"  {shlex.quote(shlex.join(row_command(config, again)))}"
                         for config in configs)
    lines = [f"--array=0-{len(configs) - 1}", "--ntasks=1", f"--cpus-per-task={CORES}",
             f"--mem={MEMORY}", f"--gres=gpu:{_gpus(configs)}", f"--time={HOURS}:00:00",
             "--signal=USR1@120", "--requeue", "--open-mode=append", *directives]
    return "\n".join(["#!/bin/bash", *(f"#SBATCH {line}" for line in lines),
                      f"rows=(\n{commands}\n)",
                      'eval "srun deeplab ${rows[$SLURM_ARRAY_TASK_ID]}"', "code=$?",
                      f"# {Stopped.exit_code}: preempted or out of time, state saved; go on later",
                      f'[ $code = {Stopped.exit_code} ] && scontrol requeue '
                      '"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"', "exit $code"])


def dry_run_text(configs: list[RunConfig], where: str | None,
                 directives: Sequence[str] = (), again: bool = False) -> str:
    """What `deeplab table` would start: the job script of "slurm", or a command for each row."""
    if where != "slurm":
        return "\n".join(f"deeplab {shlex.join(row_command(config, again))}" for config in configs)
    with _slurm(_gpus(configs), directives) as cluster:
        return cluster.job_script()


def _gpus(configs: list[RunConfig]) -> int:
    return max(config.gpus or 1 for config in configs)


def _slurm(gpus: int, directives: Sequence[str]) -> Any:
    with _dask():
        from dask_jobqueue import SLURMCluster
    return SLURMCluster(cores=1, processes=1, job_cpu=CORES, memory=MEMORY,
                        walltime=f"{HOURS}:00:00", nanny=False,
                        job_extra_directives=[f"--gres=gpu:{gpus}", *directives],
                        worker_extra_args=["--resources", f"GPU={gpus}"])


@contextlib.contextmanager
def _connected(where: str, configs: list[RunConfig], jobs: int,
               directives: Sequence[str]) -> Iterator[Any]:
    """A client of the cluster, which is closed again; a cluster of ours also ends."""
    with contextlib.ExitStack() as stack:
        address = where
        if where == "slurm":
            address = stack.enter_context(_slurm(_gpus(configs), directives))
            address.scale(jobs=min(jobs, len(configs)))
        yield stack.enter_context(_client(address))


def _client(address: Any) -> Any:
    """A client of the scheduler at `address`; raises `UsageError` (E-CLUSTER)."""
    with _dask():
        import dask
        from distributed import Client
    dask.config.set({"distributed.scheduler.allowed-failures": MOST_LOST_WORKERS})
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError.of("E-CLUSTER", "there is no such cluster", found=error,
                            expected="tcp://HOST:PORT of a running dask scheduler, or slurm",
                            do="start one with: dask scheduler") from error


@contextlib.contextmanager
def _dask() -> Iterator[None]:
    """Imports of Dask, which raise `UsageError` (E-CLUSTER) where it is not installed."""
    try:
        yield
    except ImportError as error:
        raise UsageError.of("E-CLUSTER", "Dask is not installed", found=error,
                            do="pip install 'deeplab[cluster]'") from error


def _submit(client: Any, job: Job) -> Any:
    """Give a row to the first worker with enough GPU tokens; to any, if none has tokens."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    has_tokens = any("GPU" in worker["resources"] for worker in workers) or not workers
    rows_at_once = max(Counter(worker["host"] for worker in workers).values(), default=1)
    threads = max(1, (CORES if not workers else os.cpu_count() or 1) // rows_at_once)
    return client.submit(run_remote, row_command(job.config, job.again),
                         str(job.log.absolute()), threads, key=f"{job.name}-{uuid.uuid4()}",
                         pure=False,
                         resources={"GPU": job.config.gpus or 1} if has_tokens else None)


def _exit_code(future: Any, job: Job) -> int:
    """How a row ended; one that Dask gave up gets its reason into the log."""
    if future.status == "finished":
        return future.result()
    with open_output(job.log) as log:
        log.write(f"Dask gave up this row: {future.exception()!r}\n".encode())
    return KernelDied.exit_code


def _wait(running: dict[Any, Job]) -> None:
    deadline = time.monotonic() + SAVE_SECONDS
    while not all(future.done() for future in running) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for future, job in running.items():
        job.code = _exit_code(future, job) if future.done() else None
