"""Run many rows on the machines of a cluster: Dask gives each row to a free worker.

A worker only starts `deeplab run`, which is idempotent, locked and resumable; so a row whose
worker is lost runs again elsewhere and goes on from its last checkpoint. The results folder
must be the same for all machines. Needs `pip install "deeplab[cluster]"`.
"""

import contextlib
import shlex
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from deeplab.runs.batch import (POLL_SECONDS, SAVE_SECONDS, Job, interruptible,
                                longest_first, row_command, summary)
from deeplab.runs.config import RunConfig
from deeplab.runs.live import LiveTable
from deeplab.runs.sbatch import JobRequest
from deeplab.runs.slurm import SILENT_SECONDS, Keeper, check_submission, dask_imports, slurm_cluster
from deeplab.support.errors import KernelDied, Stopped, UsageError
from deeplab.support.files import open_output
from deeplab.support.machine import core_count

MOST_LOST_WORKERS = 20  # while they hold one row; Dask's own 3 blames the row too soon
MOST_RESUBMITS = 50  # of a row that stopped with 75, e.g. at the end of its SLURM job
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
        keeper, tries = f"deeplab-{uuid.uuid4()}", Counter()  # no other table's
        address = client.scheduler.address  # which a client that is closed no longer knows
        _keep_rows(client, keeper)
        _check_tokens(client, waiting)
        running = {_submit(client, job, keeper, request): job for job in waiting}
        try:
            while running:
                time.sleep(POLL_SECONDS)
                for future, job in [item for item in running.items() if item[0].done()]:
                    del running[future]
                    job.code = _exit_code(future, job)
                    if job.code is None:
                        _await_scheduler(client, address, keeper, say)
                        running[_submit(client, job, keeper, request)] = job
                        continue
                    future.release()  # or Dask would compute a finished row again
                    tries[job.name] += 1
                    if job.code == Stopped.exit_code and tries[job.name] < MOST_RESUBMITS:
                        running[_submit(client, job, keeper, request)] = job
                        continue
                    ended.append(job)
                    screen.ended(job)
                look(len(running))
                screen.show()
        except KeyboardInterrupt:
            say("\nstopping: the running rows save their state")
            _take_back(client, keeper)
            _wait(running)
            ended += running.values()
        else:
            _take_back(client, keeper)
    return summary(ended, len(configs), time.monotonic() - begin, say)


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
            yield client, Watcher(client, where, say).look
        return
    with (slurm_cluster(request, directives, logs) as cluster, _client(cluster) as client):
        check_submission(cluster.job_script())
        yield client, Keeper(cluster, jobs, say).look


class Watcher:
    """Says so when a scheduler has had no worker for a while: nobody waits in silence."""

    def __init__(self, client: Any, address: str, say: Callable[[str], None]):
        self.client, self.address, self.say = client, address, say
        self._heard = time.monotonic()

    def look(self, rows: int) -> None:
        """Look for workers for `rows` rows, as the client last heard of them."""
        if self.client.scheduler_info()["workers"]:
            self._heard = time.monotonic()
        elif time.monotonic() - self._heard > SILENT_SECONDS:
            self._heard = time.monotonic()
            self.say(f"{rows} rows wait for a worker: dask worker {self.address} "
                     "--no-nanny --nthreads 1")


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


def _await_scheduler(client: Any, address: str, keeper: str, say: Callable[[str], None]) -> None:
    """Wait for a scheduler that was lost; raises `Stopped` (E-CLUSTER) if it does not come back.

    Its workers have let their rows save, and end. A row of a worker that does not know of it
    yet is locked, which `run_remote` waits for.
    """
    deadline = time.monotonic() + 2 * CONNECT_SECONDS
    while client.status == "connecting" and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    if client.status != "running":
        raise Stopped.of("E-CLUSTER", "the scheduler is gone; its workers let their rows save",
                         found=f"no answer from {address}",
                         do="start it and its workers again, then go on with: "
                            + shlex.join(["deeplab", *sys.argv[1:]]))
    say(f"the scheduler at {address} is back; its rows go on when workers join it")
    _keep_rows(client, keeper)


def _keep_rows(client: Any, keeper: str) -> None:
    """Give the plugin of this table to all workers, present and future."""
    from deeplab.runs.worker import RowKeeper  # which needs the optional Dask
    client.register_plugin(RowKeeper(), name=keeper)


def _take_back(client: Any, keeper: str) -> None:
    """Take the plugin of this table from all workers, which end its rows; wait until it is done.

    A worker that cannot be reached, or a lost scheduler, has its rows saved already.
    """
    with contextlib.suppress(OSError, RuntimeError, ValueError, TimeoutError):
        client.unregister_worker_plugin(name=keeper)


def _submit(client: Any, job: Job, keeper: str, request: JobRequest) -> Any:
    """Give a row to the first worker with enough GPU tokens; to any, if none has tokens."""
    from deeplab.runs.worker import run_remote
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    has_tokens = any("GPU" in worker["resources"] for worker in workers) or not workers
    rows_at_once = max(Counter(worker["host"] for worker in workers).values(), default=1)
    threads = max(1, (core_count() if workers else request.cores) // rows_at_once)
    return client.submit(run_remote, row_command(job.config, job.again),
                         str(job.log.absolute()), threads, keeper,
                         key=f"{job.name}-{uuid.uuid4()}",
                         pure=False,
                         resources={"GPU": job.config.gpus or 1} if has_tokens else None)


def _exit_code(future: Any, job: Job) -> int | None:
    """How a row ended; None if its scheduler was lost, at the latest when it was asked.

    A row that Dask gave up gets its reason into the log.
    """
    error = None
    with contextlib.suppress(CancelledError, OSError):  # a connection that ends is an OSError
        if future.status == "finished":
            return future.result()
        error = None if future.cancelled() else future.exception()
    if error is None:
        return None
    with open_output(job.log) as log:
        log.write(f"Dask gave up this row: {error!r}\n".encode())
    return KernelDied.exit_code


def _wait(running: dict[Any, Job]) -> None:
    deadline = time.monotonic() + SAVE_SECONDS
    while not all(future.done() for future in running) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    for future, job in running.items():
        job.code = _exit_code(future, job) if future.done() else None
