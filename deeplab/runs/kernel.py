"""The kernel that executes a notebook for us: this Python, and nothing of the user's habits."""

import asyncio
import os
import sys
import tempfile
import time
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


IDLE_END_SECONDS = 2  # seconds that an idle kernel gets to end when it is asked to
POLL_SECONDS = 0.05  # between two looks whether it has


class OwnKernel(AsyncKernelManager):
    """A kernel in the Python that runs now, whatever a kernel spec of the user calls "python3".

    What its process says of its own accord is kept until it ends, and passed on then, but not
    what it says after it was asked to end: ipykernel takes its sockets apart in any order, and
    prints tracebacks of zmq over the output of a run that is well. The outputs of cells do not
    come this way.
    """

    _said, _told = None, 0  # the file of its words, and how many bytes of it were passed on

    @property
    def kernel_spec(self) -> KernelSpec:
        """How the kernel is started."""
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f",
                                "{connection_file}"], display_name="Python 3", language="python")

    async def start_kernel(self, **options: Any) -> None:
        """Start the kernel."""
        self._forget()
        self._said, self._told = tempfile.TemporaryFile(), 0
        await super().start_kernel(**{"stderr": self._said, **options})

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        """Ask the kernel to end, and only one that does not is interrupted and then killed.

        jupyter_client interrupts first, which reaches an idle kernel anywhere in its own code.
        """
        self._pass_on()
        if not now and self.has_kernel:
            self.shutting_down = True
            await self.request_shutdown(restart=restart)
            deadline = time.monotonic() + IDLE_END_SECONDS
            while time.monotonic() < deadline and await self.is_alive():
                await asyncio.sleep(POLL_SECONDS)
            if not await self.is_alive():
                await self.provisioner.wait()  # forgets it, so that nothing is sent to it
        await super().shutdown_kernel(now=now, restart=restart)
        if not restart:
            self._forget()

    async def cleanup_resources(self, restart: bool = False) -> None:
        """Free what a kernel held that has ended; nbclient asks one that died for nothing else."""
        if not self.shutting_down:
            self._pass_on()
        if not restart:
            self._forget()
        await super().cleanup_resources(restart=restart)

    def _pass_on(self) -> None:
        """Write to our stderr what the kernel's process has said and was not passed on yet."""
        if self._said is None:
            return
        # to seek would move the place at which the kernel writes: both share one offset
        file = self._said.fileno()
        new = os.pread(file, os.fstat(file).st_size - self._told, self._told)
        self._told += len(new)
        sys.stderr.write(new.decode(errors="replace"))

    def _forget(self) -> None:
        """Close the file of what was said."""
        if self._said is not None:
            self._said.close()
            self._said = None


def kernel_arguments(folder: str) -> list[str]:
    """Words for the kernel's command: its own settings in `folder`, and no word when it ends.

    The user's start-up files could bind names or load what changes a number, and the history
    in the home folder is a database that file systems without locks cannot hold.
    """
    return [f"--IPKernelApp.ipython_dir={folder}", "--HistoryManager.enabled=False",
            "--IPKernelApp.exec_PYTHONSTARTUP=False", "--IPKernelApp.log_level=50"]
