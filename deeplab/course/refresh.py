"""Run lessons from top to bottom and keep them clean: `python -m deeplab.course.refresh FILE…`.

For whoever changes a lesson. A notebook comes back executed in one go, with counts 1…n, ids
that follow the order of its cells, the metadata that nbval needs and nothing of this machine.
A claim of its prose that no longer holds (see `deeplab.course.claims`) is refused, and the file
stays as it was; with `--rewrite` the prose takes the new value; `--check` writes no file at all.
"""

import argparse
import ast
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from deeplab.course.claims import Claim, claims_of, misplaced, rewritten
from deeplab.support.errors import UsageError
from deeplab.support.files import atomic_write
from deeplab.support.machine import socket_folder

CELL_SECONDS = 120  # seconds that one cell may take
KEPT = ("tags", "claims")  # of a cell's metadata
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def refresh(path: Path, *, rewrite: bool = False, write: bool = True) -> list[str]:
    """Execute the lesson at `path` in place; a line for each claim that was rewritten.

    The file stays as it was where a cell fails without the tag `raises-exception`, which raises
    nbclient's `CellExecutionError`; and where a claim's text does not stand once in its cell, or
    is not what its expression gives (unless `rewrite`), which raises `UsageError` (E-CLAIM). It
    also does without `write`.
    """
    import nbformat
    notebook = nbformat.read(path, as_version=4)
    prefix = path.stem.split("_")[0] if path.stem[:2].isdigit() else path.stem
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"{prefix}-{number:02}"
    _refuse(path, [line for cell in notebook.cells for line in misplaced(cell)])
    wrong = [claim for claim in _executed(notebook, path.parent) if not claim.holds]
    _refuse(path, [claim.line for claim in wrong if claim.error or not rewrite])
    for cell in notebook.cells:
        changed = {claim.text: claim for claim in wrong if claim.cell_id == cell["id"]}
        if changed:
            cell["source"], cell["metadata"]["claims"] = rewritten(cell["source"], [
                changed.get(text, Claim(cell["id"], text, expression, value=text))
                for text, expression in claims_of(cell).items()])
        _clean(cell)
    notebook.metadata = lab_metadata()
    if write:
        atomic_write(path, nbformat.writes(notebook) + "\n")
    return [claim.line for claim in wrong]


def _executed(notebook: Any, folder: Path) -> list[Claim]:
    """Execute the cells of a notebook in `folder`; its claims, each evaluated at its place."""
    from nbclient import NotebookClient
    from traitlets.config import Config

    from deeplab.runs.kernel import OwnKernel
    with tempfile.TemporaryDirectory(prefix="dl", dir=socket_folder()) as sockets:
        settings = Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/k"}})
        client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3",
                                kernel_manager_class=OwnKernel, config=settings,
                                resources={"metadata": {"path": str(folder)}})
        found: list[Claim] = []
        client.on_cell_start = _evaluate(client, found)
        client.execute()
    return found


def _evaluate(client: Any, found: list[Claim]) -> Callable[..., Awaitable[None]]:
    """What the client calls before each cell: adds the claims of that cell to `found`.

    The kernel evaluates them beside a silent, empty cell, which counts nowhere and prints nothing.
    """
    async def before(cell: Any, cell_index: int) -> None:
        """Evaluate the claims of the cell with all that the cells above it have made."""
        claims = claims_of(cell)
        if not claims:
            return
        asked = {text: f"str({expression})" for text, expression in claims.items()}
        message = client.kc.execute("", silent=True, store_history=False, user_expressions=asked)
        reply = await client.async_wait_for_reply(message)
        for text, answer in reply["content"]["user_expressions"].items():
            told = ({"value": ast.literal_eval(answer["data"]["text/plain"])}
                    if answer["status"] == "ok" else
                    {"error": f"{answer['ename']}: {answer['evalue']}"})
            found.append(Claim(cell["id"], text, claims[text], **told))
    return before


def _refuse(path: Path, lines: list[str]) -> None:
    """Raise E-CLAIM with `lines`, if there are any."""
    if lines:
        raise UsageError.of("E-CLAIM", "the prose does not say what the cells give", file=path.name,
                            found="\n    ".join(["", *lines]),
                            do="correct the text or its claim, or let the refresher rewrite it")


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
        elif output.get("data", {}).get("text/markdown") != "":  # of a counter that is over
            joined.append(output)
    if cell.cell_type == "code":
        cell.outputs = joined


def main(words: list[str] | None = None) -> int:
    """Refresh the files that are named; 1 if a claim was refused, else 0."""
    parser = argparse.ArgumentParser(prog="python -m deeplab.course.refresh")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--rewrite", action="store_true", help="let the prose take new values")
    how.add_argument("--check", action="store_true", help="only report; write no file")
    given = parser.parse_args(words)
    code = 0
    for path in given.files:
        start = time.perf_counter()
        try:
            lines = refresh(path, rewrite=given.rewrite, write=not given.check)
        except UsageError as error:
            lines, code = [str(error)], error.exit_code
        print(*lines, f"{path}: {time.perf_counter() - start:.0f} s", sep="\n", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
