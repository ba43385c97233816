"""What the rows were planned to cost, beside what they took: work against time.

The plan predicts hours for GPUs that it knows. Of a CPU it predicts nothing; there a row's share
of the work says what share of the time to expect.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from deeplab.planning.cost import model_cost
from deeplab.planning.gpus import known_gpu
from deeplab.planning.plan import FORWARDS, PlanLine
from deeplab.runs.records import run_config

HEADINGS = ("row", "work of its steps (10^12 multiply-adds)", "share (%)",
            "planned on its GPU (minutes)", "spent (minutes)", "share (%)", "peak memory (MB)")
SPENT_WORDS = (
    "A step counts as three forward passes over its crops, without the auxiliary head; minutes are "
    "those of training and evaluation, added up over seeds. *Look at the two shares:* a row whose "
    "share of the time is the larger one kept the machine less busy than the others, as small maps "
    "do, or shared it with other programs. A dash: nothing is planned for a CPU.")


def spent_lines(entries: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A line for each row among `entries`, the results that count: the cells of `HEADINGS`."""
    rows = {row_id: [entry for entry in entries if entry["row_id"] == row_id]
            for row_id in dict.fromkeys(entry["row_id"] for entry in entries)}
    work = {row_id: sum(map(_work, runs)) for row_id, runs in rows.items()}
    minutes = {row_id: sum(run["minutes"] for run in runs) for row_id, runs in rows.items()}
    all_work, all_minutes = sum(work.values()) or 1, sum(minutes.values()) or 1
    return [(row_id, f"{work[row_id]:,.1f}", f"{100 * work[row_id] / all_work:.1f}",
             _planned_minutes(runs), f"{minutes[row_id]:.1f}",
             f"{100 * minutes[row_id] / all_minutes:.1f}", _peak(runs))
            for row_id, runs in rows.items()]


def _work(run: Mapping[str, Any]) -> float:
    """10^12 multiply-adds of the steps of a run; `gmacs` is 10^9 for one crop."""
    return FORWARDS * run["gmacs"] * run["steps"] * run_config(run["folder"]).batch_size / 1e3


def _planned_minutes(runs: Sequence[Mapping[str, Any]]) -> str:
    kinds = [known_gpu(run.get("gpu")) for run in runs]
    if None in kinds:
        return "—"
    config = run_config(runs[0]["folder"])
    hours = sum(PlanLine(config, kind, model_cost(config)).hours for kind in kinds)
    return f"{60 * hours:.1f}"


def _peak(runs: Sequence[Mapping[str, Any]]) -> str:
    peaks = [run["peak_memory_mb"] for run in runs if run.get("peak_memory_mb")]
    return f"{max(peaks):,}" if peaks else "—"
