"""A Dask scheduler and its workers on this machine, each started as a user starts them."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from small_table import environment, logged_step

from deeplab.support.locks import owner

STEPS_SECONDS = 120  # in which a row must begin


class DaskMachine:
    """Processes of Dask that a test starts and kills; rows take `pause` seconds a step longer."""

    def __init__(self, folder: Path, pause: str = "0.3"):
        self.folder, self.pause, self.processes, self.workers = folder, pause, [], []
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.scheduler = self.start_scheduler()
        for _ in range(2):
            self.start_worker()

    def start_scheduler(self) -> subprocess.Popen:
        """Start the scheduler, always at the same address."""
        self.scheduler = self._start("dask_scheduler", "--host", "127.0.0.1", "--port",
                                     self.address.rpartition(":")[2], "--no-dashboard")
        return self.scheduler

    def start_worker(self) -> None:
        """Start a worker with a GPU token."""
        self.workers.append(self._start(
            "dask_worker", self.address, "--no-nanny", "--nthreads", "1", "--resources", "GPU=1",
            "--no-dashboard"))

    def _start(self, *words: str) -> subprocess.Popen:
        variables = environment(TEST_QUICK="1", TEST_PAUSE=self.pause,
                                TEST_STARTS=str(self.folder / "starts"))
        with open(self.folder / f"dask-{len(self.processes)}.log", "wb") as log:
            self.processes.append(subprocess.Popen(
                [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]], stdout=log,
                stderr=log, env=variables))
        return self.processes[-1]

    def end(self) -> None:
        """Kill all that was started."""
        for process in self.processes:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for_row(config, step: int = 2) -> int:
    """Wait until a run is at `step`; returns the process that runs it."""
    deadline = time.monotonic() + STEPS_SECONDS
    while logged_step(config.folder) < step:
        assert time.monotonic() < deadline, f"{config.folder} is at {logged_step(config.folder)}"
        time.sleep(0.02)
    return owner(config.folder / "lock")[0]


def parent_of(process: int) -> int:
    """The process that started another one."""
    done = subprocess.run(["ps", "-o", "ppid=", "-p", str(process)], capture_output=True)
    return int(done.stdout)
