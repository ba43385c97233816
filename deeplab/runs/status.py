"""How a run stands, read from its files alone: for the live table and `deeplab status`."""

import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from deeplab.runs.records import check_place, read_log, read_result, read_run
from deeplab.support.errors import DeeplabError
from deeplab.support.plain import printable
from deeplab.support.locks import TRAINER, is_locked, job_of, owner


@dataclass(frozen=True)
class Status:
    """What the files of one run say."""

    state: str  # "waiting", "starting", "running", "stopped", "ended" (early), "done", "damaged"
    step: int = 0
    total_steps: int = 0
    loss: float | None = None
    miou: float | None = None  # per cent, of the last evaluation
    age: float | None = None  # seconds since the last line of the log
    eta: float | None = None  # seconds to the end, at the speed so far
    owner: tuple[int, str] | None = None  # (process id, host) that runs it
    job: str | None = None  # the SLURM job of that process, or of the last one that ran it
    ranks: int = 1  # processes that share the training
    problem: str = ""  # what is damaged, in one line

    @property
    def progress(self) -> float:
        """Share of the schedule that is done, 0 to 1."""
        return min(1.0, self.step / self.total_steps) if self.total_steps else 0.0


def read_status(folder: Path) -> Status:
    """The status of the run in `folder`; "running" means that a process holds its lock.

    "damaged" means that a file does not hold what a run leaves there.
    """
    try:
        return _status(folder)
    except (DeeplabError, OSError) as error:
        return Status("damaged", problem=problem(folder, error))


def problem(folder: Path, error: DeeplabError | OSError) -> str:
    """What is wrong with the run in `folder`, in one line without the place of the folder."""
    text = error.line if isinstance(error, DeeplabError) else printable(error)
    return text.replace(f"{folder}/", "").replace(str(folder), folder.name)


def _status(folder: Path) -> Status:
    check_place(folder)
    lines = list(read_log(folder))
    log: dict = {}
    for line in lines:
        log |= line
    held = [folder / name for name in ("lock", TRAINER) if is_locked(folder / name)]
    if (folder / "result.json").exists() and not held:
        facts = read_result(folder)
        state = "done" if facts["steps"] >= facts["total_steps"] else "ended"
        return Status(state, facts["steps"], facts["total_steps"], log.get("loss"), facts["miou"])
    state = ("running" if lines else "starting") if held else (
        "stopped" if folder.exists() else "waiting")
    who = {"owner": owner(held[0]) if held else None,
           "job": job_of(held[0] if held else folder / "lock") or job_of(folder / TRAINER)}
    if not lines:
        return Status(state, **who)
    step, total = log["step"], log.get("total_steps", 0)
    left = max(0, min(_asked(folder), total) - step)
    eta = left * log.get("seconds", 0) / step if step else None
    return Status(state, step, total, log.get("loss"), log.get("miou"),
                  max(0, time.time() - (folder / "log.jsonl").stat().st_mtime), eta,
                  ranks=log.get("processes", 1), **who)


def _asked(folder: Path) -> float:
    """The step at which the run in `folder` is to stop, if it was asked to stop early."""
    if not (folder / "run.json").exists():
        return float("inf")
    return read_run(folder)["parameters"].get("max_steps") or float("inf")


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


def whereabouts(status: Status, command: list[str]) -> str | None:
    """Where a run is at work, or the command that goes on with one that stopped."""
    if status.state == "stopped":
        return f"go on with: deeplab {shlex.join(command)}"
    if status.owner is None:
        return None
    process, host = status.owner
    parts = [f"process {process} on {host}", f"SLURM job {status.job}" if status.job else "",
             f"{status.ranks} ranks" if status.ranks > 1 else "",
             "" if status.age is None else f"last line {duration(status.age)} ago"]
    return ", ".join(filter(None, parts))


def duration(seconds: float) -> str:
    """Seconds for people: `48 s`, `3 min 05 s`, `2 h 10 min`."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
