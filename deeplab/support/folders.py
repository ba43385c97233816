"""Where things lie: the project, its data and its results, and what a relative path means."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).parents[2]  # the clone; holds notebooks/, data/ and results/
FOLDERS = {"DEEPLAB_DATA": "data", "DEEPLAB_RESULTS": "results",
           "DEEPLAB_DATASETS": "data/label_sets"}  # variables, and where they point unset


def absolute(path: Path | str) -> Path:
    """The path as seen from the folder that one stands in; ~ is one's home."""
    return Path(os.path.expanduser(path)).absolute()


def named_folder(variable: str) -> Path:
    """The folder that a variable of FOLDERS names, or else the project's own."""
    return absolute(os.environ.get(variable) or PROJECT / FOLDERS[variable])


def data_folder() -> Path:
    """Where datasets lie unless a command says otherwise: $DEEPLAB_DATA or the project's data/."""
    return named_folder("DEEPLAB_DATA")


def results_folder() -> Path:
    """Where runs are written: $DEEPLAB_RESULTS or the project's results/."""
    return named_folder("DEEPLAB_RESULTS")
