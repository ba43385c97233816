"""A row run in small for lesson 11: losses of runs that are stopped and go on, well or badly."""

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import Subset

from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.support.files import read_json_lines
from deeplab.training.checkpoint import Checkpoints
from deeplab.training.loop import train

ROW = "voc_r50_d16"  # the cheapest row of the table
STEPS = 16
STOP = 8  # the step after which all runs but one are stopped


@functools.cache
def stories() -> dict[str, dict[int, float]]:
    """The loss of each step, from 1, of four runs that differ in nothing but a stop after `STOP`.

    One never stops; one goes on from its whole checkpoint; two go on from a checkpoint in
    which the optimiser's momenta, or the random numbers of dropout, were forgotten.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        found = {"never stopped": trained(root / "whole", STEPS)}
        for name, forgotten in (("stopped, went on", None), ("momenta forgotten", "momenta"),
                                ("random numbers forgotten", "random numbers")):
            trained(root / name, STOP)
            found[name] = trained(root / name, STEPS, forgotten=forgotten)
    return found


def trained(results: Path, steps: int, *, forgotten: str | None = None) -> dict[int, float]:
    """Train the demo of `ROW` below `results` up to `steps`, going on from what is there.

    `forgotten`, "momenta" or "random numbers", is first taken out of the newest checkpoint.
    Returns the loss of each step; the last one is scored on a single image, for no score is
    wanted. PyTorch's random state is left as it was.
    """
    experiment = Experiment(RunConfig.of(row_id=ROW, max_steps=steps, results_root=results,
                                         processes=1))
    experiment.eval_set = Subset(experiment.eval_set, range(1))
    folder = experiment.config.folder
    if forgotten:
        _forget(forgotten, Checkpoints(folder / "checkpoints", experiment.identity))
    with torch.random.fork_rng(devices=[]):
        train(experiment.model, experiment.samples, replace(experiment.settings, log_every=1),
              folder=folder, identity=experiment.identity, evaluate=experiment.evaluate,
              say=lambda text: None)
    return {line["step"]: line["loss"] for line in read_json_lines(folder / "log.jsonl")
            if "loss" in line}


def _forget(what: str, checkpoints: Checkpoints) -> None:
    """Write the newest checkpoint again with fresh momenta or other random numbers."""
    state = checkpoints.load()
    step = state["step"]
    if what == "momenta":
        state["optimizer"]["state"] = {}
    else:
        state["torch_rng"] = [torch.Generator().manual_seed(1).get_state()]
    checkpoints.save(step, state)
