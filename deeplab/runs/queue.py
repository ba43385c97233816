"""Which jobs of SLURM wait or run for the rows of a results folder, and how others ended.

A job script names its rows in its comment, one for each task of the array, so that the queue
alone tells which job is whose. Where there is no SLURM, or it does not answer, nothing is known.
"""

import contextlib
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deeplab.runs.config import RunConfig

FIELDS = {"JobArrayID": 40, "State": 16, "RestartCnt": 10, "Reason": 40, "Comment": 60_000}
ANSWER_SECONDS = 15  # in which a command of SLURM must answer
STILL_THERE = ("pending", "running", "completing", "suspended")  # states of a job before its end
MARK = "deeplab rows"  # how such a comment begins


@dataclass(frozen=True)
class QueuedJob:
    """A job, or a task of an array, that SLURM still has."""

    number: str  # such as 7_3
    state: str  # as SLURM says it, in small letters: "pending", "running", "completing"
    reason: str  # for which it waits, "None" if it does not, or if SLURM has not looked yet
    restarts: int  # how often it was queued again

    @property
    def line(self) -> str:
        """What there is to say of it."""
        again = f", queued again {self.restarts} times" if self.restarts else ""
        is_known = self.state == "pending" and self.reason != "None"  # not yet looked at by SLURM
        why = f" ({self.reason})" if is_known else ""
        return f"SLURM job {self.number} is {self.state}{why}{again}"


def comment(configs: Sequence[RunConfig]) -> str:
    """The comment of a job script whose task number i does `configs[i]`."""
    top = configs[0].results_root / configs[0].profile.name
    return f"{MARK} {top}: " + " ".join(
        str(config.folder.relative_to(top)) for config in configs)


def queued_jobs(results_root: Path, profile: str) -> dict[Path, QueuedJob]:
    """By folder of a run: the job that is queued for it, the newest where there are several."""
    text = said("squeue", "--me", "--array", "--noheader", "--Format",
                ",".join(f"{name}:{width}" for name, width in FIELDS.items()))
    top, found = results_root / profile, {}
    for line in text.splitlines():
        values, rest = [], line
        for width in FIELDS.values():
            values.append(rest[:width].strip())
            rest = rest[width:]
        number, state, restarts, reason, note = values
        head, _, rows = note.rpartition(": ")
        task = re.fullmatch(r"\d+_(\d+)", number)
        if task and head == f"{MARK} {top}" and int(task[1]) < len(rows.split()):
            found[top / rows.split()[int(task[1])]] = QueuedJob(
                number, state.lower(), reason, int(restarts) if restarts.isdecimal() else 0)
    return found


def ending(number: str) -> str:
    """How a job ended, such as "timeout"; "" where SLURM does not know, or no longer.

    Without accounts (sacct) its controller still knows for some minutes.
    """
    text = said("sacct", "--jobs", number, "--allocations", "--noheader", "--parsable2",
                "--format", "State")
    if text:
        return text.splitlines()[-1].lower()
    known = re.search(r"JobState=(\w+)", said("scontrol", "show", "job", number, "--oneliner"))
    state = known[1].lower() if known else ""
    return "" if state in STILL_THERE else state


def said(*words: str) -> str:
    """What a command of SLURM prints; nothing where it cannot be asked, or does not answer."""
    with contextlib.suppress(OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return subprocess.run(words, capture_output=True, text=True, encoding="utf-8",
                              timeout=ANSWER_SECONDS).stdout.strip()
    return ""
