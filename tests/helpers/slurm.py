"""A real SLURM on this machine alone: one controller, two nodes, a pretended GPU on each.

Needs Debian's packages slurmctld, slurmd, slurm-client and munge, and root. Everything lies in
one folder and listens on 127.0.0.1; `SlurmCluster.environment` points the commands at it.
"""

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
ORPHAN_SECONDS = 30  # that a process may outlive its job, which has ended
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
FirstJobId={first}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=6
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
MinJobAge=300
InactiveLimit=0
GresTypes=gpu
NodeName=node[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{nodes}] CPUs=8 RealMemory=900000 Gres=gpu:1 State=UNKNOWN
PartitionName=low Nodes=node[1-2] Default=YES MaxTime=INFINITE State=UP PriorityTier=1 OverSubscribe=NO
PartitionName=high Nodes=node[1-2] Default=NO MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing_programs() -> list[str]:
    """The programs of SLURM that are not installed here."""
    return [name for name in PROGRAMS
            if not shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")]


class SlurmCluster:
    """A running cluster; `environment` is for the processes that talk to it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"),
                                         "PATH": f"{os.environ['PATH']}:/usr/sbin"}

    def run(self, *words: object, check: bool = True, **options) -> str:
        """What a command of SLURM prints."""
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                              timeout=60, env=self.environment, **options)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    def state(self, job: str) -> str:
        """The state of a job, or of a task of an array, e.g. RUNNING."""
        text = self.run("scontrol", "show", "job", job, "--oneliner", check=False)
        return text.partition("JobState=")[2].partition(" ")[0]

    def wait(self, job: str, *states: str, seconds: float = 120) -> str:
        """Wait until a job is in one of `states`; returns it."""
        deadline = time.monotonic() + seconds
        while self.state(job) not in states:
            assert time.monotonic() < deadline, f"job {job} is {self.state(job)}"
            time.sleep(0.2)
        return self.state(job)


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def slurm_cluster(folder: Path):
    """A SLURM cluster of two nodes in `folder`, gone with everything it started at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = [free_port() for _ in range(3)]
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    # jobs of clusters on one machine differ in number, by which their ports are chosen
    first = 1 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    (folder / "slurm.conf").write_text(CONFIGURATION.format(
        host=socket.gethostname().partition(".")[0], folder=folder, first=first,
        controller=ports[0], nodes=",".join(map(str, ports[1:]))))
    # a file stands for each GPU, so that SLURM counts and hands them out
    (folder / "gres.conf").write_text("".join(
        f"NodeName=node{number} Name=gpu File=/dev/null\n" for number in (1, 2)))
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
    (folder / "state").mkdir()
    cluster, started = SlurmCluster(folder), []

    def start(*words: str) -> None:
        with open(folder / f"{Path(words[0]).name}-{len(started)}.out", "wb") as log:
            started.append(subprocess.Popen(words, stdout=log, stderr=log,
                                            env=cluster.environment, start_new_session=True))

    try:
        start("munged", "--foreground", "--force", f"--key-file={key}",
              f"--socket={folder}/munge.socket", f"--pid-file={folder}/munged.pid",
              f"--seed-file={folder}/munge.seed", f"--log-file={folder}/munged.log")
        _until(lambda: (folder / "munge.socket").exists())
        start("slurmctld", "-D", "-f", f"{folder}/slurm.conf")
        for number in (1, 2):
            start("slurmd", "-D", "-N", f"node{number}", "-f", f"{folder}/slurm.conf")
        _until(lambda: cluster.run("sinfo", "-h", "-o", "%T", "-p", "low", check=False) == "idle")
        yield cluster
    finally:
        cluster.run("scancel", "--user=root", check=False)
        with contextlib.suppress(AssertionError):  # jobs that do not end are killed by SLURM
            _until(lambda: not cluster.run("squeue", "-h", check=False).strip(), seconds=20)
        left = orphans(folder)
        for process in reversed(started):
            process.terminate()
        for process in started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
    assert not left, f"outlived their jobs by {ORPHAN_SECONDS} s: {left}"


def orphans(folder: Path) -> list[str]:
    """The commands of a cluster's jobs that still run after `ORPHAN_SECONDS`; then killed.

    A process belongs to the cluster if its environment names the cluster's configuration, and
    to a job if SLURM gave it a number.
    """
    def running() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                variables = process.environ()
                if (variables.get("SLURM_CONF") == f"{folder}/slurm.conf"
                        and "SLURM_JOB_ID" in variables
                        and process.status() != psutil.STATUS_ZOMBIE):
                    found.append(process)
        return found

    with contextlib.suppress(AssertionError):
        _until(lambda: not running(), seconds=ORPHAN_SECONDS)
    left = []
    for process in running():
        with contextlib.suppress(psutil.Error):
            left.append(shlex.join(process.cmdline()))
            process.kill()
    return left


def _until(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "SLURM did not come up"
        time.sleep(0.1)
