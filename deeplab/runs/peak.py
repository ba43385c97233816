"""How much memory a run took at most: of its GPU, or of its processes."""

from pathlib import Path

import torch

from deeplab.support.files import read_json, write_json
from deeplab.support.machine import peak_resident_mb
from deeplab.support.schema import ListOf, whole
from deeplab.training.ranks import Ranks

PEAKS = ListOf(whole(), 2**20)
REPORT = "peak_memory.json"  # in the folder of a run on several processes, one number for each


def peak_memory_mb(folder: Path, device: str, processes: int) -> int | None:
    """Most megabytes that a process of a run took: of its GPU, or resident; None if unknown.

    With several `processes` that of the one that took most, as they report it; otherwise that of
    this process so far. What loader processes take is left out.
    """
    if processes == 1:
        return _peak_here(device)
    report = folder / REPORT
    reported = read_json(report, links=False) if report.exists() else []
    if any(PEAKS.faults(reported)):
        return None
    return max((peak for peak in reported if peak), default=None)


def report_memory(folder: Path, ranks: Ranks, device: str) -> None:
    """Leave what each of the `ranks` took, so far, for `peak_memory_mb`; all call this alike."""
    peaks = ranks.gathered(torch.tensor([_peak_here(device) or 0]))
    if ranks.is_first:
        write_json(folder / REPORT, [int(peak) for peak in peaks])


def _peak_here(device: str) -> int | None:
    """Of this process, for a run on `device`."""
    if device == "cuda":
        return round(torch.cuda.max_memory_allocated() / 1e6)
    return peak_resident_mb()
