"""Run lessons from top to bottom and keep them clean: `python -m deeplab.course.refresh FILE…`.

For whoever changes a lesson. A notebook comes back executed in one go, with counts 1…n, ids
that follow the order of its cells, the metadata that nbval needs and nothing of this machine.
"""

import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from deeplab.support.files import atomic_write
from deeplab.support.machine import socket_folder

CELL_SECONDS = 120  # seconds that one cell may take
KEPT = ("tags",)  # of a cell's metadata
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def refresh(path: Path) -> float:
    """Execute the lesson at `path` in place; the seconds that it took.

    A cell that fails without the tag `raises-exception` raises nbclient's
    `CellExecutionError`, and the file stays as it was.
    """
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config
    notebook = nbformat.read(path, as_version=4)
    prefix = path.stem.split("_")[0] if path.stem[:2].isdigit() else path.stem
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"{prefix}-{number:02}"
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="dl", dir=socket_folder()) as sockets:
        settings = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/k"}})
        NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", config=settings,
                       resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in notebook.cells:
        _clean(cell)
    notebook.metadata = lab_metadata()
    atomic_write(path, nbformat.writes(notebook) + "\n")
    return time.perf_counter() - start


def lab_metadata() -> dict[str, Any]:
    """The metadata that JupyterLab writes into a notebook as soon as a kernel runs in it.

    With these a lesson that was only opened and saved is the file that it was.
    """
    from ipykernel.ipkernel import IPythonKernel
    from ipykernel.kernelspec import get_kernel_dict
    kernel = get_kernel_dict()
    return {"kernelspec": {"display_name": kernel["display_name"], "language": "python",
                           "name": "python3"},
            "language_info": dict(IPythonKernel.language_info)}


def _clean(cell: Any) -> None:
    """Drop what differs from run to run: times, colour codes, frames of a traceback."""
    cell.metadata = {key: value for key, value in cell.metadata.items() if key in KEPT}
    joined: list[Any] = []
    for output in cell.get("outputs", []):
        if output.output_type == "error":
            output.evalue = ANSI.sub("", output.evalue)
            output.traceback = [f"{output.ename}: {output.evalue}"]
        if (joined and output.output_type == "stream" == joined[-1].output_type
                and output.name == joined[-1].name):
            joined[-1].text += output.text
        else:
            joined.append(output)
    if cell.cell_type == "code":
        cell.outputs = joined


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: {refresh(Path(name)):.0f} s", flush=True)
