"""What a finished training left, for the rows that only evaluate it in another way."""

import shlex
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from deeplab.runs.config import RunConfig
from deeplab.runs.records import read_log
from deeplab.support.errors import UsageError
from deeplab.training.checkpoint import Checkpoints

# of an identity; threads and device decide how a training goes on, not what it has come to
SAME_RUN = ("row_id", "profile", "seed", "total_steps")


def finished_training(config: RunConfig, step: int, identity: Mapping[str, Any],
                      ) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """The weights of the run `config` after `step` steps, and its log without evaluations.

    Raises `UsageError` (E-TRAINING) where it has not come so far, `CheckpointError`.
    """
    checkpoints = Checkpoints(config.folder / "checkpoints",
                              {key: identity[key] for key in SAME_RUN})
    state = checkpoints.load()
    if state is None or state["step"] != step:
        raise UsageError.of(
            "E-TRAINING", "the training that this row evaluates has left no such weights",
            file=checkpoints.folder, found=f"step {state['step']}" if state else "no checkpoint",
            expected=f"step {step} of row {config.row.row_id}",
            do=f"{shlex.join(['deeplab', *config.command])}; where that is done, delete its folder "
               "first")
    log = [line for line in read_log(config.folder) if "miou" not in line]
    return state["model"], log
