"""The kernel that executes a notebook for us: this Python, and nothing of the user's habits."""

import asyncio
import sys
import time

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


IDLE_END_SECONDS = 2  # seconds that an idle kernel gets to end when it is asked to
POLL_SECONDS = 0.05  # between two looks whether it has


class OwnKernel(AsyncKernelManager):
    """A kernel in the Python that runs now, whatever a kernel spec of the user calls "python3"."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How the kernel is started."""
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f",
                                "{connection_file}"], display_name="Python 3", language="python")

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        """Ask the kernel to end, and only one that does not is interrupted and then killed.

        jupyter_client interrupts first. That reaches an idle kernel anywhere in its own code,
        which may print a traceback of zmq over the output of a run that is well.
        """
        if not now and self.has_kernel:
            self.shutting_down = True
            await self.request_shutdown(restart=restart)
            deadline = time.monotonic() + IDLE_END_SECONDS
            while time.monotonic() < deadline and await self.is_alive():
                await asyncio.sleep(POLL_SECONDS)
            if not await self.is_alive():
                await self.provisioner.wait()  # forgets it, so that nothing is sent to it
        await super().shutdown_kernel(now=now, restart=restart)


def kernel_arguments(folder: str) -> list[str]:
    """Words for the kernel's command: its own settings in `folder`, and no word when it ends.

    The user's start-up files could bind names or load what changes a number, and the history
    in the home folder is a database that file systems without locks cannot hold.
    """
    return [f"--IPKernelApp.ipython_dir={folder}", "--HistoryManager.enabled=False",
            "--IPKernelApp.exec_PYTHONSTARTUP=False", "--IPKernelApp.log_level=50"]
