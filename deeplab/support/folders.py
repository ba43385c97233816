"""Where things lie and what a relative path means; folders that are written whole, or not."""

import glob
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from deeplab.support.errors import UsageError
from deeplab.support.files import disk_errors, replace_file
from deeplab.support.own import OURS, TEMPORARY, temporary_for

PROJECT = Path(__file__).parents[2]  # the clone; holds notebooks/, data/ and results/
FOLDERS = {"DEEPLAB_DATA": "data", "DEEPLAB_RESULTS": "results",
           "DEEPLAB_DATASETS": "data/label_sets"}  # variables, and where they point unset


def absolute(path: Path | str) -> Path:
    """The path as seen from the folder that one stands in; ~ is one's home."""
    return Path(os.path.expanduser(path)).absolute()


def named_folder(variable: str) -> Path:
    """The folder that a variable of FOLDERS names, or else the project's own.

    Where the package was installed without the project, the folder one stands in takes its
    place: nobody looks for data and results among the installed packages.
    """
    home = PROJECT if is_clone() else Path.cwd()
    return absolute(os.environ.get(variable) or home / FOLDERS[variable])


def is_clone() -> bool:
    """Whether the package runs from a clone of the project, which holds its notebooks."""
    return (PROJECT / "notebooks" / "row.ipynb").is_file()


def check_clone() -> None:
    """Raise `UsageError` (E-CLONE) where there are no notebooks to execute."""
    if not is_clone():
        raise UsageError.of(
            "E-CLONE", "deeplab was installed without the notebooks that runs and reports execute",
            file=PROJECT, found="no notebooks/row.ipynb here", expected="a clone of the project",
            do="clone the project and install it from there with: pip install -e .")


def data_folder() -> Path:
    """Where datasets lie unless a command says otherwise: $DEEPLAB_DATA or the project's data/."""
    return named_folder("DEEPLAB_DATA")


def results_folder() -> Path:
    """Where runs are written: $DEEPLAB_RESULTS or the project's results/."""
    return named_folder("DEEPLAB_RESULTS")


def write_folder(target: Path, files: Iterable[tuple[str, bytes]], *,
                 replace: bool = False) -> Path:
    """Write (relative path, content) pairs as the folder `target`: all of them, or nothing.

    For many small files that can be made again: they are not flushed to the disk one by one,
    which takes longer than making them. A folder that is there is left alone (E-EXISTS) unless
    `replace` says that it is ours; only one process at a time may do this to it
    (`deeplab.support.locks`). Raises `UsageError` (E-EXISTS), and as `atomic_write`.
    """
    if os.path.lexists(target) and (target.is_symlink() or not replace):
        raise UsageError.of("E-EXISTS", "a folder that deeplab did not make is in the way",
                            file=target, do="move it elsewhere, or choose another place")
    for leftover in target.parent.glob(f"{TEMPORARY}*-{glob.escape(target.name)}"):
        if OURS.fullmatch(leftover.name) and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)  # of a writer that was killed
    draft = temporary_for(target)
    try:
        for name, content in files:
            path = draft / name
            with disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        with disk_errors(target):
            if target.exists():
                shutil.rmtree(target)
            replace_file(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target
