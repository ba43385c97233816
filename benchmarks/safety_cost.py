"""What safety costs in a demo row, and how soon a killed one takes its first new step.

    OMP_NUM_THREADS=1 python benchmarks/safety_cost.py [ROW]

The cost is the time spent in checkpoints, log lines, locks, fingerprints and records, as a
share of what the training and evaluation of the row take. The resume is that of `deeplab run`,
from its start (interpreter, kernel and all) to the first new line of the log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deeplab.runs import run_row
from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.support.files import JsonLines, read_json_lines
from deeplab.support.locks import TRAINER, owner
from deeplab.training import checkpoint, loop, runlog


class Clock:
    """Adds up the time spent in the functions it wraps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def wrap(self, owner: object, name: str) -> None:
        """Time every call of `owner.name` from now on."""
        function = getattr(owner, name)

        def timed(*arguments, **options):
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - start
        setattr(owner, name, timed)


def cost(row_id: str, results: Path) -> None:
    """Train the row in this process and print what the safe-keeping took."""
    config, clock = RunConfig.of(row_id=row_id, results_root=str(results)), Clock()
    experiment = Experiment(config)
    experiment.train_set, experiment.eval_set, experiment.model  # noqa: B018  drawn and built now
    for owner_, name in ((loop.Training, "save"), (runlog.RunLog, "loss"),
                         (runlog.RunLog, "evaluation"), (checkpoint.Checkpoints, "load"),
                         (JsonLines, "__init__"), (loop, "check_finite"),
                         (run_row, "fingerprint"), (run_row, "software"),
                         (run_row, "sweep_temporaries")):
        clock.wrap(owner_, name)
    start = time.perf_counter()
    mark = run_row.fingerprint(config)
    run_row.sweep_temporaries(config.folder)
    run_row._prepare_folder(config, mark)
    outcome = experiment.train()
    run_row.fingerprint(config)
    total = time.perf_counter() - start
    safe = sum(clock.seconds.values())
    for name, seconds in sorted(clock.seconds.items(), key=lambda item: -item[1]):
        print(f"  {name:<18} {seconds:6.2f} s")
    print(f"{row_id}: {outcome.steps} steps, {total:.1f} s, of which safety {safe:.2f} s = "
          f"{100 * safe / total:.1f} %")


def wait_for_step(folder: Path, step: int) -> None:
    """Wait until a line beyond `step` is in the log."""
    while max((line["step"] for line in read_json_lines(folder / "log.jsonl")), default=0) <= step:
        time.sleep(0.02)


def resume(row_id: str, results: Path) -> None:
    """Kill a run with its kernel in the middle, start it again and time its first new step."""
    config = RunConfig.of(row_id=row_id, results_root=str(results))
    words = [sys.executable, "-m", "deeplab", *config.command]
    first = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    wait_for_step(config.folder, 40)
    trainer = owner(config.folder / TRAINER)
    first.kill()
    first.wait()
    os.kill(trainer[0], signal.SIGKILL)
    while owner(config.folder / TRAINER):
        time.sleep(0.02)
    reached = checkpoint.Checkpoints(config.folder / "checkpoints", {}).newest
    start = time.perf_counter()
    again = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    while owner(config.folder / TRAINER) is None:
        time.sleep(0.02)
    print(f"resume of {row_id} from step {reached}: training begins after "
          f"{time.perf_counter() - start:.1f} s", end="")
    time.sleep(0.3)  # by now the log is cut to the checkpoint
    lines = len(list(read_json_lines(config.folder / "log.jsonl")))
    while len(list(read_json_lines(config.folder / "log.jsonl"))) <= lines:
        time.sleep(0.02)
    print(f", the next line of the log is written after {time.perf_counter() - start:.1f} s")
    again.terminate()
    again.wait()


def main(row_id: str = "voc_r50_d8") -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory() as folder:
        cost(row_id, Path(folder) / "cost")
        resume(row_id, Path(folder) / "resume")


if __name__ == "__main__":
    main(*sys.argv[1:])
