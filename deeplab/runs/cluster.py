"""Run many rows on the machines of a cluster: Dask gives each row to a free worker.

A worker only starts `deeplab run`, which is idempotent, locked and resumable; so a row whose
worker is lost runs again elsewhere and goes on from its last checkpoint. The results folder
must be the same for all machines. Needs `pip install "deeplab[cluster]"`.
"""

import contextlib
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
from deeplab.runs.sbatch import JobRequest
from deeplab.runs.slurm import Keeper, check_submission, dask_imports, job_end, slurm_cluster
from deeplab.support.errors import KernelDied, LockedError, Stopped, UsageError
from deeplab.support.files import open_output
from deeplab.support.machine import core_count

MOST_LOST_WORKERS = 20  # while they hold one row; Dask's own 3 blames the row too soon
MOST_RESUBMITS = 50  # of a row that stopped with 75, e.g. at the end of its SLURM job
LOCK_LEASE_SECONDS = 120  # after which a network disk frees the lock of a lost machine
SAVE_BEFORE_END_SECONDS = 600  # before the end of a SLURM job its row saves and stops
CONNECT_SECONDS = 20  # seconds in which a scheduler must answer


def run_on_cluster(configs: list[RunConfig], where: str, request: JobRequest, *,
                   jobs: int | None = None, directives: Sequence[str] = (), again: bool = False,
                   say: Callable[[str], None] = print) -> dict[str, int]:
    """Run all `configs` on the cluster `where`; returns the exit code of each.

    `where` is the address of a Dask scheduler or "slurm", where `jobs` jobs of the size of
    `request` are asked for (default: one for each row). Raises `UsageError`: E-CLUSTER if there
    is none or it refuses the job, E-GPUS if no worker has as many as a row needs.
    """
    waiting, begin = longest_first(configs, again), time.monotonic()
    screen, ended = LiveTable(waiting, say), []
    size = min(jobs or len(configs), len(configs))
    logs = configs[0].results_root / "slurm"
    with (_connected(where, request, size, directives, logs, say) as (client, look),
          interruptible()):
        from distributed import Event
        name, tries = f"deeplab-stop-{uuid.uuid4()}", Counter()  # no other table's
        stop = Event(name, client=client)
        _check_tokens(client, waiting)
        running = {_submit(client, job, name, request): job for job in waiting}
        try:
            while running:
                time.sleep(POLL_SECONDS)
                for future, job in [item for item in running.items() if item[0].done()]:
                    del running[future]
                    job.code = _exit_code(future, job)
                    future.release()  # or Dask would compute a finished row again
                    tries[job.name] += 1
                    if job.code == Stopped.exit_code and tries[job.name] < MOST_RESUBMITS:
                        running[_submit(client, job, name, request)] = job
                        continue
                    ended.append(job)
                    screen.ended(job)
                look(len(running))
                screen.show()
        except KeyboardInterrupt:
            say("\nstopping: the running rows save their state")
            stop.set()
            _wait(running)
            ended += running.values()
    return summary(ended, len(configs), time.monotonic() - begin, say)


def run_remote(command: list[str], log: str, threads: int, stop_name: str) -> int:
    """Run `deeplab command` on a worker and return its exit code; Dask calls this."""
    from distributed import Event
    stop, end = Event(stop_name), job_end()
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


def dry_run_text(configs: list[RunConfig], where: str | None, request: JobRequest,
                 directives: Sequence[str] = (), again: bool = False) -> str:
    """What `deeplab table` would start: the job script of "slurm", or a command for each row."""
    if where != "slurm":
        return "\n".join(f"deeplab {shlex.join(row_command(config, again))}" for config in configs)
    with slurm_cluster(request, directives, configs[0].results_root / "slurm") as cluster:
        return cluster.job_script()


@contextlib.contextmanager
def _connected(where: str, request: JobRequest, jobs: int, directives: Sequence[str],
               logs: Path, say: Callable[[str], None],
               ) -> Iterator[tuple[Any, Callable[[int], None]]]:
    """A client of the cluster and what looks after its jobs; a cluster of ours also ends."""
    if where != "slurm":
        with _client(where) as client:
            yield client, lambda rows: None
        return
    with (slurm_cluster(request, directives, logs) as cluster, _client(cluster) as client):
        check_submission(cluster.job_script())
        yield client, Keeper(cluster, jobs, say).look


def _client(address: Any) -> Any:
    """A client of the scheduler at `address`; raises `UsageError` (E-CLUSTER)."""
    with dask_imports():
        import dask
        from distributed import Client
    dask.config.set({"distributed.scheduler.allowed-failures": MOST_LOST_WORKERS})
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:  # or no certificate
        raise UsageError.of("E-CLUSTER", "there is no such cluster", found=error,
                            expected="tls://… or tcp://HOST:PORT of a dask scheduler, or slurm",
                            do="start one with: dask scheduler") from error


def _check_tokens(client: Any, jobs: list[Job]) -> None:
    """Raise `UsageError` (E-GPUS) for a row that asks for more GPUs than any worker has."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    most = max((worker["resources"].get("GPU", 0) for worker in workers), default=0)
    wanted = max(job.config.gpus or 1 for job in jobs)
    if 0 < most < wanted:
        raise UsageError.of("E-GPUS", "no worker has as many GPUs as a row asks for",
                            found=f"{len(workers)} workers with GPU={most:g} at most",
                            expected=f"GPU={wanted}",
                            do=f"start workers with --resources GPU={wanted}, or ask for fewer "
                               "with --gpus")


def _submit(client: Any, job: Job, stop_name: str, request: JobRequest) -> Any:
    """Give a row to the first worker with enough GPU tokens; to any, if none has tokens."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    has_tokens = any("GPU" in worker["resources"] for worker in workers) or not workers
    rows_at_once = max(Counter(worker["host"] for worker in workers).values(), default=1)
    threads = max(1, (core_count() if workers else request.cores) // rows_at_once)
    return client.submit(run_remote, row_command(job.config, job.again),
                         str(job.log.absolute()), threads, stop_name,
                         key=f"{job.name}-{uuid.uuid4()}",
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
