"""The kernel that executes a notebook for us: this Python, and nothing of the user's habits."""

import sys

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager


class OwnKernel(AsyncKernelManager):
    """A kernel in the Python that runs now, whatever a kernel spec of the user calls "python3"."""

    @property
    def kernel_spec(self) -> KernelSpec:
        """How the kernel is started."""
        return KernelSpec(argv=[sys.executable, "-m", "ipykernel_launcher", "-f",
                                "{connection_file}"], display_name="Python 3", language="python")


def kernel_arguments(folder: str) -> list[str]:
    """Words for the kernel's command: its own settings in `folder`, and no word when it ends.

    The user's start-up files could bind names or load what changes a number, and the history
    in the home folder is a database that file systems without locks cannot hold.
    """
    return [f"--IPKernelApp.ipython_dir={folder}", "--HistoryManager.enabled=False",
            "--IPKernelApp.exec_PYTHONSTARTUP=False", "--IPKernelApp.log_level=50"]
