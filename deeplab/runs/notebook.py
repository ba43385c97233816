"""Execute a notebook with papermill, and put its output in place only when it is whole.

papermill writes its output in place and calls every cell "completed" when the kernel died or
the user pressed Ctrl-C. So it writes a draft here, and the draft replaces the notebook of a run
only when it is whole, with a banner on top if the run did not end.
"""

import contextlib
import html
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deeplab.runs.records import read_log
from deeplab.support import errors
from deeplab.support.crash import crash_point
from deeplab.support.errors import DataError, DeeplabError, KernelDied
from deeplab.support.files import atomic_write, disk_errors
from deeplab.support.folders import FOLDERS, named_folder
from deeplab.support.machine import child_search_path, socket_folder

SHUTDOWN_SECONDS = 6  # seconds that a kernel gets to end; what trains has been asked to save before
AUTOSAVE_SECONDS = 60  # seconds between two saves of the draft, at least


def execute(notebook: Path, draft: Path, parameters: dict[str, Any], *, folder: Path) -> None:
    """Execute `notebook` with `parameters` into `draft`; errors of its cells become ours.

    The kernel talks over sockets in a private folder: two kernels that start at once on
    TCP can take each other's port. Raises `KernelDied` (E-KERNEL) with the last step logged
    in the run's `folder`, and `ResourceError` (E-DISK).
    """
    with without_module("rfc3987_syntax"):
        import papermill
    from nbclient.exceptions import DeadKernelError
    from traitlets.config import Config

    from deeplab.runs.kernel import kernel_arguments
    for name in ("papermill", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what they say, we say
    killed_before = out_of_memory_kills()
    with (tempfile.TemporaryDirectory(prefix="dl", dir=socket_folder()) as sockets,
          environment(PYTHONPATH=child_search_path())):
        settings = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/k",
                                             "shutdown_wait_time": SHUTDOWN_SECONDS},
                           "NotebookClient": {
                               "kernel_manager_class": "deeplab.runs.kernel.OwnKernel",
                               "extra_arguments": kernel_arguments(sockets)}})
        folders = {name: str(named_folder(name)) for name in FOLDERS}  # the kernel stands elsewhere
        try:
            with disk_errors(draft), environment(**folders):
                papermill.execute_notebook(
                    str(notebook), str(draft), parameters, config=settings,
                    kernel_name="python3", cwd=str(notebook.parent), progress_bar=False,
                    autosave_cell_every=AUTOSAVE_SECONDS)
        except papermill.PapermillExecutionError as error:
            raise _as_ours(error) from None
        except (DeadKernelError, RuntimeError) as error:
            if isinstance(error, DeeplabError):
                raise
            raise _kernel_died(folder, error, out_of_memory_kills() - killed_before) from None


@contextlib.contextmanager
def without_module(module: str) -> Iterator[None]:
    """Imports inside find no `module`, which whoever imports it can do without.

    jsonschema checks internationalised addresses with rfc3987_syntax, which takes more than a
    second to import; notebooks hold no such addresses.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None
    try:
        yield
    finally:
        del sys.modules[module]


def out_of_memory_kills() -> int:
    """Processes that this machine's out-of-memory killer has ended since it was started."""
    with contextlib.suppress(OSError), open("/proc/vmstat", encoding="ascii") as counters:
        return sum(int(line.split()[1]) for line in counters if line.startswith("oom_kill "))
    return 0


def _as_ours(error: Any) -> DeeplabError:
    """The error that a cell raised, of the class it had in the kernel."""
    kind = getattr(errors, error.ename, None)
    if isinstance(kind, type) and issubclass(kind, DeeplabError):
        return kind(str(error.evalue))
    return DeeplabError.of("E-CELL", f"a cell of the notebook failed: {error.ename}",
                           found=error.evalue, do="open notebook.ipynb in the run's folder")


def _kernel_died(folder: Path, error: Exception, kills: int) -> KernelDied:
    step = "none"
    with contextlib.suppress(DataError):
        step = max((line["step"] for line in read_log(folder)), default=step)
    cause = (f"the system's out-of-memory killer struck {kills} times meanwhile" if kills
             else "no out-of-memory kill was counted: it was killed, or crashed")
    return KernelDied.of(
        "E-KERNEL", "the notebook's kernel ended without a word", file=folder,
        found=f"last logged step: {step}; {cause} ({error})",
        do=("free memory, or use fewer --jobs; then " if kills else "")
        + "run the same command again: it goes on from the last checkpoint")


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    """Environment variables for the processes that the block starts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def publish_notebook(draft: Path, target: Path, *, error: DeeplabError | None = None) -> None:
    """Put an executed draft in place of `target` if it is whole; `error` is why it ended early."""
    import nbformat
    try:
        notebook = nbformat.read(draft, as_version=4)
        nbformat.validate(notebook)
    except (OSError, ValueError, nbformat.ValidationError):
        draft.unlink(missing_ok=True)
        return
    if error is not None:
        _mark(notebook, error)
    crash_point("before-notebook")
    try:
        atomic_write(target, nbformat.writes(notebook) + "\n")
    finally:
        draft.unlink()


def _mark(notebook: Any, error: DeeplabError) -> None:
    """Say on top of `notebook` why it ended, and correct what papermill noted of each cell."""
    from nbformat.v4 import new_markdown_cell
    status = "failed"
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.execution_count is None:
            cell.metadata.setdefault("papermill", {}).update(status=status, exception=True)
            status = "pending"
    notebook.metadata.setdefault("papermill", {})["exception"] = True
    text = f"**This run did not end.**\n\n<pre>{html.escape(str(error))}</pre>"
    notebook.cells.insert(0, new_markdown_cell(text, metadata={"tags": ["stopped"]}))
