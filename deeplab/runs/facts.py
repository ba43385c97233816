"""What the notebook of a run leaves behind: every number with where and how it was made."""

import atexit
import gc
import shlex
from pathlib import Path
from typing import Any

import torch

from deeplab.evaluation.metrics import Evaluation
from deeplab.runs.begin import finish_alone
from deeplab.runs.config import row_facts
from deeplab.runs.deviations import deviations
from deeplab.runs.experiment import Experiment
from deeplab.runs.fingerprint import surroundings
from deeplab.runs.outcome import Outcome
from deeplab.runs.peak import peak_memory_mb
from deeplab.support.files import sha256, write_json
from deeplab.support.scores import rounded
from deeplab.support.seal import sealed


def outcome_facts(experiment: Experiment, outcome: Outcome, *, gmacs: float) -> dict[str, Any]:
    """Everything a result states, as plain values: the evaluation, the training, its cost."""
    config = experiment.config
    return evaluation_facts(experiment, outcome.evaluation) | {
        "seed": config.seed, "steps": outcome.steps,
        "total_steps": outcome.total_steps, "complete": outcome.complete,
        "minutes": round(outcome.seconds / 60, 3), "gmacs": round(gmacs, 4),
        "parameters": sum(weight.numel() for weight in outcome.model.parameters()),
        "peak_memory_mb": peak_memory_mb(config.folder, experiment.device, config.world),
        "backbone_weights": experiment.backbone_weights,
        "deviations": [item.number for item in deviations(experiment)],
        "command": shlex.join(["deeplab", *config.command])}


def evaluation_facts(experiment: Experiment, evaluation: Evaluation) -> dict[str, Any]:
    """What an evaluation states, as plain values; scores in per cent, None where undefined."""
    config, iou = experiment.config, evaluation.class_iou.tolist()
    return {
        **row_facts(config.row), "profile": config.profile.name,
        "miou": rounded(evaluation.mean_iou), "num_images": evaluation.num_images,
        "class_iou": {name: rounded(100 * value)
                      for name, value in zip(config.label_set.classes, iou, strict=True)},
        "minutes": round(evaluation.seconds / 60, 3), "device": experiment.device,
        "threads": torch.get_num_threads(), **surroundings(experiment.device)}


def save_outcome(folder: Path, facts: dict[str, Any]) -> None:
    """Leave `outcome.json` for the runner; what comes after is the end of the kernel.

    It holds a digest of itself and of the log, by which a byte that changes later is seen.
    There the collector would walk over a million objects. Frozen they are passed over, and the
    next row starts most of a second sooner. Without a runner, in JupyterLab or under papermill
    alone, the outcome becomes the result here; raises `UsageError` (E-CHANGED).
    """
    log = folder / "log.jsonl"
    digests = {"log": sha256(log)} if log.is_file() else {}
    write_json(folder / "outcome.json", sealed(facts | digests))
    if finish_alone(folder):
        print("This row is done: status and report count it.")
    atexit.register(gc.freeze)
