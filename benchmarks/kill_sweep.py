"""Kill all 16 rows at every named point and at random times; all must end as if undisturbed.

    OMP_NUM_THREADS=1 python benchmarks/kill_sweep.py [--rows GLOB] [--random N] [--seed N]

Rows have the size of the tests (eight steps, a checkpoint after each, twelve drawn pictures)
and run without a kernel. Ends with 1 if a digest differs, a file is damaged or a step was
lost beyond the last checkpoint.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))

from small_table import (  # noqa: E402
    KILLED,
    POINTS,
    config_of,
    damaged_files,
    draw_twins,
    exit_code,
    forked,
    in_child,
    kill,
    logged_step,
    newest_step,
    quick_rows,
    reference_digests,
    row_digest,
)

from deeplab.runs.config import RunConfig  # noqa: E402
from deeplab.runs.run_row import run_row  # noqa: E402
from deeplab.table.rows import match_rows  # noqa: E402

STEPS_PER_EPOCH = 3  # twelve pictures, four at a time
KILLS = 3  # in a row, before a run with random kills may end


@dataclass
class Tally:
    """What was seen over all runs."""

    kills: int = 0
    mid_epoch: int = 0  # runs that went on from a checkpoint within an epoch
    wrong: list[str] = field(default_factory=list)

    def killed(self, config: RunConfig, name: str) -> None:
        """Count a kill, and note what it damaged."""
        step = newest_step(config.folder)
        self.kills += 1
        self.mid_epoch += step % STEPS_PER_EPOCH != 0
        if logged_step(config.folder) > step + 1:  # a checkpoint follows each step
            self.wrong.append(f"{name}: lost steps beyond the last checkpoint")
        if any(not path.name.startswith(".tmp-") for path in damaged_files(config.folder)):
            self.wrong.append(f"{name}: a damaged file")

    def ended(self, config: RunConfig, name: str, digest: str) -> None:
        """Compare a run that was brought to its end with the undisturbed one."""
        if damaged_files(config.folder) or row_digest(config.folder) != digest:
            self.wrong.append(f"{name}: ended otherwise")


def quietly(config: RunConfig) -> None:
    """Run a row and print nothing."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        run_row(config)


def named_kills(config_for, row_id: str, digest: str, tally: Tally) -> None:
    """Kill a fresh run at each named point once, and finish it."""
    for point in POINTS:
        config, name = config_for(row_id, point.replace(":", "-")), f"{row_id} {point}"
        if in_child(quietly, config, crash=point) != KILLED:
            tally.wrong.append(f"{name}: not reached")
        tally.killed(config, name)
        if in_child(quietly, config) != 0:
            tally.wrong.append(f"{name}: did not go on")
        tally.ended(config, name, digest)


def random_kills(config_for, row_id: str, digest: str, tally: Tally, count: int,
                 draw: random.Random) -> None:
    """Kill runs `count` times at random moments, `KILLS` times each, and finish them."""
    hits, run, seconds = 0, 0, 1.0
    while hits < count:
        config, run = config_for(row_id, f"random{run}"), run + 1
        name, struck = f"{row_id} random {run}", 0
        while struck < KILLS and hits < count:
            start = time.monotonic()
            child = forked(quietly, config)
            time.sleep(draw.uniform(0, seconds))
            kill(child)
            if exit_code(child) != KILLED:
                seconds = max(0.1, 0.9 * (time.monotonic() - start))
                break
            struck, hits = struck + 1, hits + 1
            tally.killed(config, name)
        if in_child(quietly, config) != 0:
            tally.wrong.append(f"{name}: did not go on")
        tally.ended(config, name, digest)


def main() -> None:
    """Sweep and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", default="*", help="a pattern of row names")
    parser.add_argument("--random", type=int, default=6, help="kills at random times per row")
    parser.add_argument("--seed", type=int, default=0, help="of the random times")
    options = parser.parse_args()
    quick_rows()
    rows, draw, start = match_rows([options.rows]), random.Random(options.seed), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        data = draw_twins(Path(folder) / "data", ("voc", "ade20k", "cityscapes", "context"))
        digests = reference_digests(Path(folder) / "undisturbed", data, rows)
        named, at_random = Tally(), Tally()
        for row_id in rows:
            def config_for(row_id: str, name: str) -> RunConfig:
                return config_of(row_id, Path(folder) / name, data)
            named_kills(config_for, row_id, digests[row_id], named)
            random_kills(config_for, row_id, digests[row_id], at_random, options.random, draw)
            print(f"{row_id:<20} {named.kills} + {at_random.kills} kills, "
                  f"{len(named.wrong) + len(at_random.wrong)} wrong, "
                  f"{time.monotonic() - start:.0f} s", flush=True)
    for kind, tally in (("named points", named), ("random times", at_random)):
        print(f"{kind}: {tally.kills} kills over {len(rows)} rows, {tally.mid_epoch} of them "
              f"resumed within an epoch, {len(tally.wrong)} wrong")
    print(*named.wrong, *at_random.wrong, sep="\n")
    sys.exit(bool(named.wrong or at_random.wrong))


if __name__ == "__main__":
    main()
