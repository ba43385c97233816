"""One rank of the toy training: `python -m toy_rank FOLDER`, started by torchrun.

TOY_CRASH=1:step:5 kills rank 1 at its step 5, and :stop: instead of it stops it for ever; once
only, so that the ranks that are started afresh get through. TOY_LINGER=1:4 keeps rank 1 for
four seconds after it has stopped as asked.
"""

import os
import signal
import sys
import time
from pathlib import Path

from toy_training import toy_train

from deeplab.runs.launch import process_group
from deeplab.runs.rank import end_rank
from deeplab.support.errors import Stopped
from deeplab.training import loop


def arm(folder: Path, rank: int) -> None:
    """Prepare what TOY_CRASH asks of this rank, unless it has been done."""
    wanted, _, point = os.environ.get("TOY_CRASH", "").partition(":")
    done = folder / "crashed"
    if wanted != str(rank) or done.exists():
        return
    done.touch()
    if point.startswith("hang:"):
        real, calls = loop.train_step, []

        def train_step(*arguments, **options):
            calls.append(1)
            if len(calls) == int(point.partition(":")[2]):
                os.kill(os.getpid(), signal.SIGSTOP)
            return real(*arguments, **options)
        loop.train_step = train_step
    else:
        os.environ["DEEPLAB_CRASH"] = point


def main(folder: str) -> None:
    """Train with the other ranks in `folder`."""
    with process_group(Path(folder)) as ranks:
        arm(Path(folder), ranks.rank)
        toy_train(Path(folder), ranks=ranks, identity={"processes": ranks.world})


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Stopped as stopped:
        slow, _, seconds = os.environ.get("TOY_LINGER", "").partition(":")
        time.sleep(float(seconds) if slow == os.environ["RANK"] else 0)
        end_rank(stopped.exit_code)
