"""The live table on terminals of every size, as a small terminal of this test's own shows it."""

import os
import re
import shutil
import sys
from types import SimpleNamespace

import pytest

from deeplab.runs import batch, live
from deeplab.runs.batch import left_to_run
from deeplab.runs.config import RunConfig
from deeplab.runs.live import LiveTable, fitting
from deeplab.runs.result import Standing
from deeplab.runs.status import Status


class Terminal:
    """Rows of characters with a cursor; what leaves it at the top has scrolled away."""

    def __init__(self, columns, rows):
        self.columns, self.rows, self.scrolled, self.lines, self.at = columns, rows, [], [""], 0

    def isatty(self):
        return True

    def flush(self):
        pass

    def write(self, text):
        for one in re.findall(r"\x1b\[\d*[AJ]|.", text, re.DOTALL):
            self._take(one)

    def _take(self, one):
        if one.endswith("A") and one.startswith("\x1b"):
            self.at = max(0, self.at - int(one[2:-1]))
        elif one == "\x1b[J":
            self.lines = [*self.lines[:self.at], ""]
        elif one == "\n":
            self._down()
        elif one != "\r":
            if len(self.lines[self.at]) == self.columns:
                self._down()
            self.lines[self.at] += one

    def _down(self):
        self.at += 1
        if self.at == len(self.lines):
            self.lines.append("")
        if len(self.lines) > self.rows:
            self.scrolled.append(self.lines.pop(0))
            self.at -= 1


def job(number):
    return SimpleNamespace(name=f"row{number}", code=0, log=None,
                           config=SimpleNamespace(folder=number))


@pytest.mark.parametrize("columns, rows", [(200, 50), (80, 24), (40, 6), (20, 3), (5, 2), (1, 1)])
def test_what_scrolls_is_an_event_and_never_a_repaint(monkeypatch, columns, rows):
    screen, states = Terminal(columns, rows), dict.fromkeys(range(30), "waiting")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((columns, rows)))
    monkeypatch.setattr(live, "REPAINT_SECONDS", 0)
    monkeypatch.setattr(live, "read_status", lambda number: Status(states[number], 5, 10, 1.0))
    monkeypatch.setattr(live, "status_line", lambda name, status: f"{name} {status.state}")
    jobs, said = [job(number) for number in range(30)], []

    def say(text):
        said.append(text)
        screen.write(f"{text}\n")
    table = LiveTable(jobs, say)
    for number, one in enumerate(jobs):
        states.update(dict.fromkeys(range(number, min(30, number + 8)), "running"))
        for _ in range(3):
            table.show()
        states[number] = "done"
        table.ended(one)
    seen = "".join(screen.scrolled + screen.lines)
    assert said == [f"row{number} done" for number in range(30)]
    assert seen == "".join(said)  # nothing of what was shown in place is left


def test_as_many_rows_are_shown_as_fit_and_the_others_are_counted():
    lines = [f"row {number}" for number in range(6)]
    assert fitting(lines, 3, 80, 24) == [*lines, "3 waiting"]
    assert fitting(lines, 3, 80, 5) == [*lines[:3], "3 more at work, 3 waiting"]
    assert fitting(lines, 0, 4, 24) == ["row"] * 6 and fitting([], 0, 80, 24) == []


def test_a_row_that_is_done_is_skipped_with_the_reason(monkeypatch, tmp_path):
    configs = [RunConfig.of(row_id="voc_r50_d8", seed=seed, results_root=tmp_path)
               for seed in (0, 1)]
    monkeypatch.setattr(batch, "stale", lambda config: None)
    monkeypatch.setattr(batch, "standing", lambda config: Standing())
    monkeypatch.setattr(batch, "finished_result", lambda config: {
        "miou": 43.031, "steps": 300, "total_steps": 300} if config.seed else None)
    said = []
    assert left_to_run(configs, said.append) == (configs[:1], {"voc_r50_d8 seed 1": 0})
    (line,) = said
    assert line.startswith("voc_r50_d8 seed 1: skipped, it is done: mIoU 43.03")


def test_what_a_failed_row_printed_moves_no_cursor(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "read_status", lambda folder: Status("stopped"))
    failed, said = job(1), []
    failed.code, failed.log = 3, tmp_path / "run.log"
    failed.log.write_text("E-DATA \x1b[2Jgone\n\tdo: look")
    LiveTable([failed], said.append).ended(failed)
    assert said == ["row1: exit code 3\nE-DATA \\x1b[2Jgone\n\tdo: look"]
