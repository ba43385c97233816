"""`log.jsonl` of a run: loss and learning rate of logged steps, mIoU of evaluations."""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deeplab.evaluation.metrics import Evaluation
from deeplab.support.files import JsonLines
from deeplab.support.scores import rounded, score_words
from deeplab.training.ranks import Ranks


class RunLog:
    """`log.jsonl` of a run that goes on from `state`, or begins if there is none.

    What was logged after the checkpoint is cut off, and the clock goes on with it. Of several
    ranks only the first one writes, and says what it does.
    Raises `CheckpointError` (E-LOG) for a log that is not the one the checkpoint tells of.
    """

    def __init__(self, path: Path, state: Mapping[str, Any] | None, total_steps: int,
                 ranks: Ranks, say: Callable[[str], None]):
        state = state or {"step": 0, "log_size": 0, "seconds": 0.0}
        self.step, self.total_steps, self.say = state["step"], total_steps, say
        self._last_loss = math.nan
        self._start = time.perf_counter() - state["seconds"]
        self._file = JsonLines(path, size=state["log_size"], digest=state.get(
            "log_sha256")) if ranks.is_first else None
        if self.step and self._file:
            say(f"going on from step {self.step} of {total_steps}")
        elif self._file:
            self._file.write(step=0, total_steps=total_steps, processes=ranks.world)

    @property
    def seconds(self) -> float:
        """Time spent on this run so far, over all its processes in turn."""
        return round(time.perf_counter() - self._start, 2)

    @property
    def position(self) -> dict[str, Any]:
        """What a checkpoint keeps of the log."""
        return {"log_size": self._file.size, "log_sha256": self._file.digest,
                "seconds": self.seconds}

    def loss(self, step: int, *, lr: float, loss: float, loss_aux: float) -> None:
        """Log the losses of the batch that made step number `step`."""
        self._last_loss = loss
        if self._file:
            self._file.write(step=step, lr=lr, loss=loss, loss_aux=loss_aux, seconds=self.seconds)

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Log what the network reaches after `step` steps."""
        if not self._file:
            return
        miou, *class_iou = (rounded(value, digits=None) for value in
                            (evaluation.mean_iou, *evaluation.class_iou.tolist()))
        self._file.write(step=step, miou=miou, class_iou=class_iou, seconds=self.seconds)
        loss = "" if math.isnan(self._last_loss) else f"loss {self._last_loss:.3f}   "
        self.say(f"step {step:>5} of {self.total_steps}   {loss}"
                 f"mIoU {score_words(miou)}")
