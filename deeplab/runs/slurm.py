"""A Dask cluster of SLURM jobs that outlives each of them, and SLURM's own words when it cannot.

A job ends before the table does: at its time limit, preempted, cancelled, with its node. Dask
waits for its workers then; `Keeper` asks SLURM for new ones.
"""

import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from deeplab.runs.queue import said
from deeplab.runs.sbatch import JobRequest
from deeplab.support.errors import UsageError

LOOK_SECONDS = 10  # between two looks at the queue
SILENT_SECONDS = 60  # without a worker, after which SLURM's reason is said, and said again
SUBMIT_SECONDS = 30  # in which SLURM must take or refuse a job
LOST_WORKER_TIMEOUT = "5s"  # after which Dask believes that a worker is gone


@contextlib.contextmanager
def dask_imports() -> Iterator[None]:
    """Imports of Dask, which raise `UsageError` (E-CLUSTER) where it is not installed."""
    try:
        yield
    except ImportError as error:
        raise UsageError.of("E-CLUSTER", "Dask is not installed", found=error,
                            do="pip install 'deeplab[cluster]'") from error


def slurm_cluster(request: JobRequest, directives: Sequence[str], logs: Path) -> Any:
    """A Dask cluster whose workers are SLURM jobs of the size of `request`, none yet.

    What the workers say goes to the folder `logs`. The scheduler listens where Dask's own
    configuration says (`jobqueue.slurm.interface`, `scheduler-options`), else on all interfaces;
    its pages are for this machine alone, and the workers have none.
    """
    with dask_imports():
        import dask
        from dask_jobqueue import SLURMCluster
    dask.config.set({"distributed.deploy.lost-worker-timeout": LOST_WORKER_TIMEOUT})
    options = dask.config.get("jobqueue.slurm.scheduler-options", None) or {}
    # a worker below the job's shell outlives it where SLURM follows by parent
    python = (dask.config.get("jobqueue.slurm.python", None)
              or f"exec {shlex.quote(sys.executable)}")
    return SLURMCluster(cores=1, processes=1, job_cpu=request.cores,
                        python=python,
                        memory=f"{request.memory_gb}GB", walltime=request.walltime, nanny=False,
                        log_directory=str(logs),
                        job_extra_directives=[*request.gres, *directives],
                        scheduler_options={"dashboard_address": "127.0.0.1:0"} | options,
                        worker_extra_args=["--resources", f"GPU={max(1, request.gpus)}",
                                           "--no-dashboard"])


def check_submission(script: str) -> None:
    """Raise `UsageError` (E-CLUSTER) with SLURM's sentence if it would refuse the job `script`.

    `--test-only` also says no where nodes are only drained for now. A job that is held, and at
    once cancelled, then shows whether SLURM would queue it.
    """
    answer = _submitted(script, "--test-only")
    if answer.returncode:
        answer = _submitted(script, "--parsable", "--hold")
        if answer.returncode == 0:
            said("scancel", answer.stdout.strip().partition(";")[0])
    if answer.returncode:
        raise UsageError.of("E-CLUSTER", "SLURM refuses the job",
                            found=answer.stderr.strip().splitlines()[-1],
                            expected="a partition, account and size that the site has",
                            do="correct the --directive; --dry-run prints the job script")


def _submitted(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The answer of `sbatch` to a job script; raises `UsageError` (E-CLUSTER) without a SLURM."""
    try:
        return subprocess.run(["sbatch", *options], input=script, capture_output=True, text=True,
                              timeout=SUBMIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError.of("E-CLUSTER", "there is no SLURM here", found=error,
                            expected="the commands sbatch and squeue",
                            do="run it on a login node of the cluster") from error


def job_times() -> tuple[float, float]:
    """When the SLURM job that this process is part of began and ends, seconds since 1970.

    0 and infinity outside of a job, or in one without a limit.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if not job:
        return 0.0, float("inf")
    words = said("squeue", "--noheader", "--jobs", job, "--format", "%S|%e")
    with contextlib.suppress(ValueError):  # N/A: no limit; or no answer
        start, end = (datetime.fromisoformat(text).timestamp() for text in words.split("|"))
        return start, end
    return (float(os.environ.get("SLURM_JOB_START_TIME", 0)),
            float(os.environ.get("SLURM_JOB_END_TIME", "inf")))


class Keeper:
    """Keeps `jobs` jobs in the queue of a Dask cluster on SLURM while rows are left."""

    def __init__(self, cluster: Any, jobs: int, say: Callable[[str], None]):
        self.cluster, self.jobs, self.say = cluster, jobs, say
        self._looked, self._heard = 0.0, time.monotonic()

    def look(self, rows: int) -> None:
        """Ask for the jobs that are missing for `rows` rows, and say why none has come."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        names = {worker["name"] for worker in self.cluster.scheduler_info["workers"].values()}
        queued = dict(line.split("|", 1) for line in said(
            "squeue", "--noheader", "--me", "--format", "%A|%r").splitlines())
        for name, job in list(self.cluster.workers.items()):
            if name not in names and getattr(job, "job_id", None) and job.job_id not in queued:
                del self.cluster.workers[name]  # it ended: `scale` asks for another
        self.cluster.scale(jobs=min(self.jobs, rows))
        if names:
            self._heard = now
        elif now - self._heard > SILENT_SECONDS:
            reasons = sorted(set(queued.values())) or ["no job is queued"]
            self.say(f"no job has started yet; pending: {', '.join(reasons)}")
            self._heard = now
