"""What one run is asked to do: a row, a profile, a seed and where things lie.

Everything a run does follows from a `RunConfig`. It is checked here, before any work, so that
a mistyped parameter of the notebook or the command ends with a sentence and not with a run of
something else.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deeplab.data.catalog import get_dataset
from deeplab.data.labelset import LabelSet
from deeplab.profiles import CROP_MULTIPLE, Profile, get_profile
from deeplab.runs.given import given_values
from deeplab.support.errors import UsageError, unknown
from deeplab.support.files import data_folder, results_folder
from deeplab.table.rows import Row, get_row

if TYPE_CHECKING:
    from deeplab.evaluation.inference import Inference

FIRST_WEIGHTS = {"demo": "miniature", "small": "miniature", "full": "v1c"}  # of the backbone
EPOCHS_BETWEEN_EVALUATIONS = 10  # full profile: ssseg evaluates every 10 epochs and at the last
CHECKPOINTS_PER_EVALUATION = 4  # of a shortened run; the full one saves every epoch


@dataclass(frozen=True)
class RunConfig:
    """One run of one row. `RunConfig.of` makes one from plain parameters and checks them."""

    row: Row
    profile: Profile
    seed: int
    max_steps: int | None  # stop after so many steps; None: run to the end
    data_root: Path | None  # None: the miniature twin (demo), or the project's data folder
    results_root: Path
    gpus: int | None = None  # CUDA processes that share the training; None: one GPU if there is one
    processes: int | None = None  # the same on the CPU, for tests and lessons
    workers: int | None = None  # data loaders of each; None: none on a CPU, 4 beside a GPU
    backbone_weights: str | None = None  # see `first_weights`; None: what the profile says

    @classmethod
    def of(cls, *, row_id: str, profile: str = "demo", seed: int = 0,
           max_steps: int | None = None, data_root: str | None = None,
           results_root: str | None = None, gpus: int | None = None,
           processes: int | None = None, workers: int | None = None,
           backbone_weights: str | None = None) -> RunConfig:
        """The run that these parameters, those of `row.ipynb`, ask for.

        Raises `UsageError`: E-ROW, E-PROFILE, E-PARAMETER (a wrong type or value), E-CROP.
        """
        for name, value, least in (("gpus", gpus, 1), ("processes", processes, 1),
                                   ("workers", workers, 0)):
            _check(name, value, value is None or (isinstance(value, int) and value >= least),
                   f"an integer from {least}, or None")
        _check("processes", processes, processes is None or gpus is None,
               "either gpus or processes, not both")
        _check("seed", seed, isinstance(seed, int) and 0 <= seed < 2**31, "an integer from 0")
        _check("max_steps", max_steps, max_steps is None or (
            isinstance(max_steps, int) and max_steps > 0), "a positive integer, or None")
        _check("backbone_weights", backbone_weights, backbone_weights is None or (
            isinstance(backbone_weights, str) and backbone_weights != ""),
            "none, miniature, torchvision, v1c or a file")
        for name, value in (("data_root", data_root), ("results_root", results_root)):
            _check(name, value, value is None or isinstance(value, (str, Path)), "a folder")
        config = cls(row=get_row(row_id), profile=get_profile(profile), seed=seed,
                     max_steps=max_steps, data_root=Path(data_root) if data_root else None,
                     results_root=Path(results_root) if results_root else results_folder(),
                     gpus=gpus, processes=processes, workers=workers,
                     backbone_weights=backbone_weights)
        row = config.row
        if row.crop_height % CROP_MULTIPLE or row.crop_width % CROP_MULTIPLE:
            raise UsageError.of("E-CROP", "a crop must fill whole cells at output stride 8",
                                found=f"{row.crop_height} x {row.crop_width} pixels",
                                expected=f"multiples of {CROP_MULTIPLE}",
                                do=f"change the crop of row {row_id} in rows.csv")
        return config

    @property
    def parameters(self) -> dict[str, Any]:
        """What `RunConfig.of` takes, as plain values: the parameters of `row.ipynb`."""
        return {"row_id": self.row.row_id, "profile": self.profile.name, "seed": self.seed,
                "max_steps": self.max_steps,
                "data_root": str(self.data_root) if self.data_root else None,
                "results_root": str(self.results_root), "gpus": self.gpus,
                "processes": self.processes, "workers": self.workers,
                "backbone_weights": self.backbone_weights}

    @property
    def command(self) -> list[str]:
        """The words of the `deeplab` command that does this run."""
        options = {"--profile": self.profile.name, "--seed": self.seed,
                   "--max-steps": self.max_steps, "--data-root": self.data_root,
                   "--results": self.results_root, "--gpus": self.gpus,
                   "--processes": self.processes, "--workers": self.workers,
                   "--backbone-weights": self.backbone_weights}
        return ["run", self.row.row_id, *(str(word) for option, value in options.items()
                                          if value is not None for word in (option, value))]

    @property
    def world(self) -> int:
        """Processes that share the training."""
        return self.gpus or self.processes or 1

    @property
    def folder(self) -> Path:
        """Where everything of this run is written."""
        return self.results_root / self.profile.name / self.row.row_id / f"seed{self.seed}"

    @property
    def first_weights(self) -> str:
        """What the backbone starts from: "none", "miniature", "torchvision", "v1c" or a file."""
        return self.backbone_weights or FIRST_WEIGHTS[self.profile.name]

    @property
    def label_set(self) -> LabelSet:
        """Classes, palette and layout of the row's dataset."""
        return get_dataset(self.row.dataset)

    @property
    def real_data_root(self) -> Path:
        """The folder in which the real dataset is looked for."""
        return self.data_root or data_folder()

    @property
    def crop(self) -> tuple[int, int]:
        """(height, width) of a training crop in pixels."""
        return self.profile.crop(self.row.crop_height), self.profile.crop(self.row.crop_width)

    @property
    def resize(self) -> tuple[int, int]:
        """(long, short) side in pixels to which an image is fitted at scale 1."""
        long, short = self.label_set.resize
        return round(long / self.profile.shrink), round(short / self.profile.shrink)

    @property
    def inference(self) -> Inference:
        """The row's; a window is a crop and moves by two thirds of it: 320 of 480 (ssseg)."""
        from deeplab.evaluation.inference import Inference  # loads torch; the table needs none
        return Inference(self.row.inference, window=self.crop,
                         stride=(self.crop[0] * 2 // 3, self.crop[1] * 2 // 3))

    @property
    def batch_size(self) -> int:
        """Images per step, over all devices."""
        return self.profile.batch_size or self.row.batch_size

    @property
    def base_lr(self) -> float:
        """Learning rate at step 0."""
        return self.profile.base_lr or self.row.base_lr

    def total_steps(self, num_images: int) -> int:
        """Optimiser steps of the whole schedule on a training split of `num_images`."""
        return self.profile.steps or self.row.epochs * (num_images // self.batch_size)

    def evaluate_every(self, num_images: int) -> int:
        """Steps between evaluations."""
        if self.profile.steps:
            return -(-self.profile.steps // self.profile.evaluations)
        return EPOCHS_BETWEEN_EVALUATIONS * (num_images // self.batch_size)

    def checkpoint_every(self, num_images: int) -> int:
        """Steps between checkpoints: an epoch of the full recipe, less of a shortened one."""
        return max(1, self.evaluate_every(num_images) // (
            CHECKPOINTS_PER_EVALUATION if self.profile.steps else EPOCHS_BETWEEN_EVALUATIONS))


PARAMETERS = ("row_id", "profile", "seed", "max_steps", "data_root", "results_root", "gpus",
              "processes", "workers", "backbone_weights")


def check_parameters(given: dict[str, Any]) -> RunConfig:
    """The run for parameters that came as text or from a notebook; unknown names are refused.

    papermill itself only warns of a parameter that the notebook does not have, and runs.
    Raises `UsageError`: E-PARAMETER, and what `RunConfig.of` raises.
    """
    for name in given:
        if name not in PARAMETERS:
            raise unknown("E-PARAMETER", "parameter", name, PARAMETERS)
    _check("row_id", given.get("row_id"), "row_id" in given, "a row of the table")
    return RunConfig.of(**given)


def given_parameters(names: dict[str, Any]) -> dict[str, Any]:
    """The parameters among a notebook's `globals()`, unknown ones too, as `given_values` says."""
    return given_values(names, PARAMETERS)


def row_facts(row: Row) -> dict[str, Any]:
    """The columns of a row as plain values, for JSON."""
    return {field.name: getattr(row, field.name) for field in fields(row)}


def _check(name: str, value: object, is_right: bool, expected: str) -> None:
    if not is_right or isinstance(value, bool):
        raise UsageError.of("E-PARAMETER", f"parameter {name!r} cannot be used",
                            found=repr(value), expected=expected, do=f"correct {name}")
