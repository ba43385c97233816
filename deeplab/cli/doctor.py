"""Check versions, devices, datasets and disk of this machine, each with what to do if it fails."""

import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from deeplab.data.catalog import DATASETS, own_label_sets
from deeplab.data.layout import Layout
from deeplab.support.folders import is_clone
from deeplab.support.machine import core_count

FLOORS = {  # weights_only loading is safe since torch 2.10; the others had fixes of safety
    "torch": (2, 10), "torchvision": (0, 25), "pillow": (11,), "papermill": (2, 7),
    "nbconvert": (7, 17, 1), "jupyter_server": (2, 20), "opencv-python-headless": (4, 11)}
FREE_GB = 2  # what a demo table and its environment's caches need beside the installation


class Finding(NamedTuple):
    """One line of the report; `do` is empty when all is well."""

    name: str
    found: str
    do: str = ""


def examine(data_root: Path, results_root: Path) -> Iterator[Finding]:
    """Everything that can be checked without changing anything."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", python, "" if sys.version_info >= (3, 11) else "install 3.11 or newer")
    for package, floor in FLOORS.items():
        yield _library(package, floor)
    yield from _devices()
    if not is_clone():
        yield Finding("notebooks", "none: installed without the project",
                      "clone the project and pip install -e . there, to run rows and reports")
    folder = next(path for path in (results_root, *results_root.parents) if path.exists())
    free = shutil.disk_usage(folder).free / 1e9
    yield Finding("disk for results", f"{free:.0f} GB free in {folder}",
                  "" if free > FREE_GB else f"free {FREE_GB} GB, or choose --results elsewhere")
    if not os.access(folder, os.W_OK):
        yield Finding("results folder", f"{folder} cannot be written", "choose --results elsewhere")
    for name, label_set in (DATASETS | own_label_sets()).items():
        yield _dataset(name, label_set.layout, data_root)


def _library(package: str, floor: tuple[int, ...]) -> Finding:
    wanted = ".".join(map(str, floor))
    try:
        found = version(package)
    except PackageNotFoundError:
        return Finding(package, "missing", "run make test, or pip install -r requirements.lock")
    numbers = tuple(int(part) for part in found.split("+")[0].split(".") if part.isdigit())
    return Finding(package, found, "" if numbers >= floor else f"install {wanted} or newer")


def _devices() -> Iterator[Finding]:
    import torch

    from deeplab.support.cuda import capability_problem, cuda_problem
    yield Finding("cores, threads", f"{core_count()}, {torch.get_num_threads()}")
    if not torch.cuda.is_available():
        yield Finding("GPU", f"none: {cuda_problem()}; demo and small run on the CPU")
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        yield Finding(f"GPU {index}", f"{facts.name}, {facts.total_memory / 1e9:.0f} GB",
                      capability_problem(index) or "")


def _dataset(name: str, layout: Layout, data_root: Path) -> Finding:
    root = layout.root_below(data_root)
    if root is None:
        return Finding(f"dataset {name}", f"not in {data_root}",
                       f"for all but demo: deeplab data prepare {name}" if name in DATASETS
                       else f"put it into {data_root / layout.folders[0]}, or pass --data-root")
    return Finding(f"dataset {name}", f"{root}: splits {', '.join(layout.splits(root)) or 'none'}")
