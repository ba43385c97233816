"""What the training of a run came to, as its notebook shows it."""

from dataclasses import dataclass
from typing import Any

from deeplab.evaluation.metrics import Evaluation
from deeplab.runs.network import Network


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    model: Network
    evaluation: Evaluation
    steps: int  # done so far
    total_steps: int  # of the whole schedule
    seconds: float  # of training and evaluation, over all restarts
    log: list[dict[str, Any]]  # the lines of log.jsonl

    @property
    def complete(self) -> bool:
        """Whether the schedule was run to its end; only then the score counts."""
        return self.steps >= self.total_steps
