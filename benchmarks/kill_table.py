"""Disturb `deeplab table` as a user and a machine would; the table must be the undisturbed one.

    python benchmarks/kill_table.py [--rows GLOB] [--jobs N] [--seed N] [--demo]

Kills the command three times at random moments (once alone, twice with all its descendants),
kills one kernel, presses Ctrl-C once, and lets it finish. Rows have the size of the tests unless
`--demo` asks for the demo's own. Ends with 1 if a number differs or a process outlives its
parent.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))

from small_table import command, damaged_files, draw_twins, environment, kill, row_digest

from deeplab.report.results import run_folders
from deeplab.support.locks import TRAINER, is_locked, owner

TIMES = {"minutes", "peak_memory_mb"}  # columns that differ from run to run


class Table:
    """`deeplab table`, always the same command."""

    def __init__(self, results: Path, data: Path | None, options: argparse.Namespace):
        where = [] if data is None else ["--data-root", data]
        self.results = results
        self.words = command("table", "--rows", options.rows, "--jobs", options.jobs,
                             "--results", results, *where)
        self.environment = environment() if data else dict(os.environ)
        self.orphans = 0

    def start(self) -> subprocess.Popen:
        """Start it in a session of its own, as a terminal does."""
        with open(self.results.with_suffix(".log"), "ab") as log:
            return subprocess.Popen(self.words, stdout=log, stderr=log, env=self.environment,
                                    start_new_session=True)

    def locks(self, name: str) -> list[Path]:
        """The lock files called `name` that a process holds now."""
        return [folder / name for _, _, folder in run_folders(self.results, "demo")
                if is_locked(folder / name)]

    def outlived(self, pids: list[int]) -> int:
        """How many of `pids` still run in five seconds; they are counted as orphans."""
        time.sleep(5)
        count = len(alive(pids))
        self.orphans += count
        return count

    def numbers(self) -> list[dict[str, str]]:
        """`table.csv` without what a clock or the system decides."""
        with open(self.results / "demo" / "table.csv", encoding="utf-8") as file:
            return [{name: value for name, value in row.items() if name not in TIMES}
                    for row in csv.DictReader(file)]


def descendants(parent: int) -> list[int]:
    """The process ids of all that descend from `parent`."""
    lines = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    children: dict[int, list[int]] = {}
    for line in lines:
        pid, ppid = map(int, line.split())
        children.setdefault(ppid, []).append(pid)
    found = list(children.get(parent, []))
    for pid in found:
        found += children.get(pid, [])
    return found


def alive(pids: list[int]) -> list[int]:
    """Those of `pids` that still run."""
    states = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
    return [pid for pid, path in states.items()
            if path.exists() and path.read_text().rpartition(") ")[2][0] != "Z"]


def kill_table(table: Table, pause: float, *, whole_tree: bool) -> str:
    """Kill the command after `pause` seconds, alone or with all that it started."""
    process = table.start()
    time.sleep(pause)
    tree = descendants(process.pid)
    for pid in [process.pid, *(tree if whole_tree else [])]:
        kill(pid)
    process.wait()
    return (f"kill -9 after {pause:.1f} s {'with' if whole_tree else 'without'} its {len(tree)} "
            f"descendants; {table.outlived(tree)} alive 5 s later")


def kill_kernel(table: Table) -> str:
    """Kill the first kernel that trains; the other rows must go on to their end."""
    process = table.start()
    while not table.locks(TRAINER):
        time.sleep(0.05)
    lock = table.locks(TRAINER)[0]
    kill(owner(lock)[0])
    code = process.wait()
    return f"kernel of {lock.parent.parent.name} killed; the table ended with {code}"


def press_control_c(table: Table, pause: float) -> str:
    """Interrupt the command after `pause` seconds."""
    process = table.start()
    time.sleep(pause)
    tree = descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    start = time.monotonic()
    code = process.wait()
    return (f"Ctrl-C after {pause:.1f} s; ended with {code} in {time.monotonic() - start:.1f} s, "
            f"{table.outlived(tree)} descendants alive 5 s later")


def main() -> None:
    """Make the undisturbed table and the disturbed one, and compare them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", default="*", help="a pattern of row names")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the random moments")
    parser.add_argument("--demo", action="store_true", help="rows of the demo's own size")
    options = parser.parse_args()
    draw, wrong = random.Random(options.seed), []
    with tempfile.TemporaryDirectory() as folder:
        data = None if options.demo else draw_twins(
            Path(folder) / "data", ("voc", "ade20k", "cityscapes", "context"))
        whole, disturbed = (Table(Path(folder) / name, data, options)
                            for name in ("whole", "disturbed"))
        start = time.monotonic()
        wrong += ["the undisturbed table failed"] if whole.start().wait() else []
        seconds = time.monotonic() - start
        print(f"undisturbed: {len(whole.numbers())} rows in {seconds:.0f} s", flush=True)
        for whole_tree in (False, True, True):
            print(kill_table(disturbed, draw.uniform(3, seconds / 3), whole_tree=whole_tree))
        print(press_control_c(disturbed, draw.uniform(3, seconds / 5)), flush=True)
        print(kill_kernel(disturbed), flush=True)
        wrong += ["the disturbed table did not finish"] if disturbed.start().wait() else []
        wrong += ["a process outlived the command"] if disturbed.orphans else []
        wrong += ["table.csv differs"] if whole.numbers() != disturbed.numbers() else []
        wrong += [f"damaged: {path}" for path in damaged_files(disturbed.results)]
        wrong += [f"{row_id} differs" for row_id, seed, run in run_folders(whole.results, "demo")
                  if row_digest(run) != row_digest(
                      disturbed.results / "demo" / row_id / f"seed{seed}")]
        print(f"{len(disturbed.numbers())} rows, {len(wrong)} wrong", *wrong, sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
