"""How a run stands, read from its files alone: for the live table and `deeplab status`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from deeplab.files import is_locked, read_json, read_json_lines


@dataclass(frozen=True)
class Status:
    """What the files of one run say."""

    state: str  # "waiting", "starting", "running", "stopped", "done"
    step: int = 0
    total_steps: int = 0
    loss: float | None = None
    miou: float | None = None  # per cent, of the last evaluation
    age: float | None = None  # seconds since the last line of the log
    eta: float | None = None  # seconds to the end, at the speed so far

    @property
    def progress(self) -> float:
        """Share of the schedule that is done, 0 to 1."""
        return self.step / self.total_steps if self.total_steps else 0.0


def read_status(folder: Path) -> Status:
    """The status of the run in `folder`; "running" means that a process holds its lock."""
    lines = list(read_json_lines(folder / "log.jsonl"))
    log: dict = {}
    for line in lines:
        log |= line
    finished = folder / "result.json"
    if finished.exists():
        facts = read_json(finished)
        return Status("done", facts["steps"], facts["total_steps"], log.get("loss"),
                      facts["miou"])
    state = ("running" if lines else "starting") if is_locked(folder / "lock") else (
        "stopped" if folder.exists() else "waiting")
    if not lines:
        return Status(state)
    step, total = log["step"], log["total_steps"]
    eta = (total - step) * log["seconds"] / step if step and "seconds" in log else None
    return Status(state, step, total, log.get("loss"), log.get("miou"),
                  time.time() - (folder / "log.jsonl").stat().st_mtime, eta)


def status_line(row_id: str, status: Status) -> str:
    """One line of the live table: `voc_r50_d8  running  ###.......  40 %  loss ...`."""
    bar = "#" * round(12 * status.progress)
    parts = [f"{row_id:<18} {status.state:<8} {bar:.<12} {100 * status.progress:3.0f} %"]
    if status.loss is not None:
        parts.append(f"loss {status.loss:6.3f}")
    if status.miou is not None:
        parts.append(f"mIoU {status.miou:5.2f}")
    if status.eta is not None and status.state == "running":
        parts.append(f"{duration(status.eta)} to go")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Seconds for people: `48 s`, `3 min 05 s`, `2 h 10 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
