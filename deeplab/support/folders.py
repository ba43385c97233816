"""Where things lie: the project, its data and its results, and what a relative path means."""

from __future__ import annotations

import os
from pathlib import Path

from deeplab.support.errors import UsageError

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
