"""Demo networks for the lessons to look into, trained within seconds and kept in a file.

It is trained as a demo row of the table is, only without log, evaluations and checkpoints, and
kept below data/miniature/.cache. The name of the file holds a hash of everything that decides
the weights, so that a change of code or data trains anew.

One network comes with the package, so that a lesson can begin with it: the table's cheapest row
after all its steps, as float16. To make it again, and then correct its digest in
`deeplab.weights.shipped`::

    python -m deeplab.course.quick voc_r50_d16
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from deeplab.course.counting import counted
from deeplab.model.network import DeepLabV3
from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.runs.fingerprint import digest, fingerprint
from deeplab.support.folders import data_folder
from deeplab.training.loop import batches, train_step
from deeplab.training.recipe import make_optimizer, poly_lr
from deeplab.weights.files import load_model, save_weights
from deeplab.weights.shipped import read_shipped

STEPS = 150  # of the whole poly schedule; about a tenth of a second each on two cores
SHIPPED = Path(__file__).parent / "trained"


def demo_experiment(row_id: str, *, seed: int = 0) -> Experiment:
    """A demo run of a row: its data, `predict` and `evaluate`; nothing is written for it.

    It stays on the CPU, where lessons keep their networks, also on a machine with a GPU.
    """
    experiment = Experiment(RunConfig.of(row_id=row_id, seed=seed))
    experiment.device = "cpu"
    return experiment


def trained_demo_model(row_id: str, *, steps: int = STEPS, seed: int = 0) -> DeepLabV3:
    """The row's demo network after a whole schedule of `steps`, in eval mode.

    Shipped, or trained on the first call and read from the cache afterwards; PyTorch's random
    state is left as it was either way. Raises `UsageError` (E-ROW) for a row that does not
    exist.
    """
    experiment = demo_experiment(row_id, seed=seed)
    shipped = shipped_file(row_id, steps=steps, seed=seed)
    if shipped.is_file():
        return read_shipped(shipped).model(experiment.config.row)
    path = _cached(experiment.config, steps)
    if not path.is_file():
        for stale in path.parent.glob(f"{path.stem.rpartition('-')[0]}-*"):
            stale.unlink(missing_ok=True)
        with torch.random.fork_rng(devices=[]):
            weights = _train(experiment, steps).state_dict()
        save_weights(path, weights, row_id=row_id, profile="demo")
    return load_model(path, experiment.config.row)


def shipped_file(row_id: str, *, steps: int, seed: int = 0) -> Path:
    """Where the weights lie if they come with the package."""
    return SHIPPED / f"{row_id}-{steps}steps-seed{seed}.safetensors"


def ship(row_id: str) -> Path:
    """Train the row's whole demo schedule and write the file that comes with the package."""
    experiment = demo_experiment(row_id)
    steps = experiment.settings.total_steps
    weights = {key: value.half() if value.is_floating_point() else value
               for key, value in _train(experiment, steps).state_dict().items()}
    return save_weights(shipped_file(row_id, steps=steps), weights, row_id=row_id,
                        profile="demo")


def _train(experiment: Experiment, steps: int) -> DeepLabV3:
    """Train the experiment's network through a schedule of `steps`."""
    settings = replace(experiment.settings, total_steps=steps, stop_step=steps)
    model = experiment.model.to(settings.device).train()
    optimizer = make_optimizer(model, base_lr=settings.base_lr,
                               weight_decay=settings.weight_decay)
    scaler = torch.amp.GradScaler(settings.device, enabled=False)
    counter = counted(range(steps), f"steps of {experiment.config.row.row_id}", stays=False)
    for step, (image, label) in zip(counter, batches(experiment.samples, settings, start_step=0),
                                    strict=True):
        lr = poly_lr(step, base_lr=settings.base_lr, total_steps=steps)
        train_step(model, optimizer, scaler, image, label, lr=lr, settings=settings)
    return model.cpu()


def _cached(config: RunConfig, steps: int) -> Path:
    """Where the weights of this schedule are kept: one file per row, length and seed."""
    parts = {name: value for name, value in fingerprint(config).items() if name != "notebook"}
    name = f"{config.row.row_id}-{steps}steps-seed{config.seed}-{digest(parts)}.safetensors"
    return data_folder() / "miniature" / ".cache" / name


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(ship(name))
