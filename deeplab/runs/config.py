"""What one run is asked to do: a row, a profile, a seed and where things lie.

Everything a run does follows from a `RunConfig`. It is checked here, before any work, so that
a mistyped parameter of the notebook or the command ends with a sentence and not with a run of
something else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deeplab.data.catalog import get_dataset
from deeplab.data.labelset import LabelSet
from deeplab.profiles import CROP_MULTIPLE, Profile, get_profile
from deeplab.runs.given import given_values
from deeplab.runs.parameters import PARAMETERS, Parameters, checked, command_words
from deeplab.support.errors import UsageError
from deeplab.support.folders import data_folder, results_folder
from deeplab.table.row import PaperRow, Row
from deeplab.table.rows import get_row

if TYPE_CHECKING:
    from deeplab.evaluation.inference import Inference

FIRST_WEIGHTS = {"demo": "miniature", "small": "miniature", "medium": "v1c",
                 "full": "v1c"}  # of the backbone
EPOCHS_BETWEEN_EVALUATIONS = 10  # full profile: ssseg evaluates every 10 epochs and at the last
CHECKPOINTS_PER_EVALUATION = 4  # of a shortened run; the full one saves by time
PAPER_BATCH = 16  # images, of most rows of the paper; a profile's batch stands for it


@dataclass(frozen=True, kw_only=True)
class RunConfig(Parameters):
    """One run of one row: its checked parameters, with row and profile looked up, paths absolute.

    `RunConfig.of` makes one. Without a `data_root` it is the miniature twin's (demo) or the
    project's data folder; `results_root` is always there.
    """

    row: Row
    profile: Profile

    @classmethod
    def of(cls, **given: Any) -> RunConfig:
        """The run that these `Parameters`, those of `row.ipynb`, ask for.

        Raises `UsageError`: E-ROW, E-PROFILE, E-PARAMETER (a name, type or value), E-CROP.
        """
        values = checked(given)
        values |= {"row": get_row(values["row_id"]), "profile": get_profile(values["profile"]),
                   "results_root": values["results_root"] or results_folder()}
        config = cls(**values)
        config._check_crop()
        return config

    def _check_crop(self) -> None:
        """Raise `UsageError` (E-CROP) for a crop that does not fill the cells of its map."""
        row = self.row
        if not isinstance(row, PaperRow) and (row.crop_height % CROP_MULTIPLE
                                              or row.crop_width % CROP_MULTIPLE):
            raise UsageError.of("E-CROP", "a crop must fill whole cells at output stride 8",
                                found=f"{row.crop_height} x {row.crop_width} pixels",
                                expected=f"multiples of {CROP_MULTIPLE}",
                                do=f"change the crop of row {row.row_id} in rows.csv")
        if min(self.crop) < row.output_stride:
            raise UsageError.of(
                "E-CROP", f"a crop of {row.row_id} at profile {self.profile.name} does not fill "
                "one cell", found=f"{self.crop[0]} x {self.crop[1]} pixels",
                expected=f"at least {row.output_stride}, its output stride",
                do="choose a profile with a larger crop, such as full")

    @property
    def training(self) -> RunConfig:
        """The run whose training this one evaluates: mostly itself (`PaperRow.trained_as`)."""
        name = getattr(self.row, "trained_as", "")
        return replace(self, row_id=name, row=get_row(name)) if name else self

    @property
    def parameters(self) -> dict[str, Any]:
        """What `RunConfig.of` takes, as plain values: the parameters of `row.ipynb`."""
        values = {name: getattr(self, name) for name in PARAMETERS}
        return {name: str(value) if isinstance(value, Path) else value
                for name, value in values.items()} | {"profile": self.profile.name}

    @property
    def command(self) -> list[str]:
        """The words of the `deeplab` command that does this run."""
        return command_words(self.parameters)

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
        default = FIRST_WEIGHTS[self.profile.name]
        if default == "v1c" and isinstance(self.row, PaperRow):
            default = "torchvision"  # the paper's ResNet has the 7x7 stem
        return self.backbone_weights or default

    @property
    def gpu_precision(self) -> str:
        """The type of the network's maps in a training on CUDA: float16 as upstream's variant."""
        return self.precision or ("float16" if self.profile.pretrained else "float32")

    @property
    def is_mixed(self) -> bool:
        """Whether it trains in mixed precision where there is a GPU."""
        return self.gpu_precision != "float32"

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
                         stride=(self.crop[0] * 2 // 3, self.crop[1] * 2 // 3),
                         scales=self.row.variant.scales, flip=self.row.variant.flip)

    @property
    def batch_size(self) -> int:
        """Images per step, over all devices."""
        return self.batch or self.usual_batch_size

    @property
    def usual_batch_size(self) -> int:
        """Images per step where `batch` does not say how many."""
        if self.profile.batch_size and isinstance(self.row, PaperRow):
            return self.profile.batch_size * self.row.batch_size // PAPER_BATCH
        return self.profile.batch_size or self.row.batch_size

    @property
    def base_lr(self) -> float:
        """Learning rate at step 0: in proportion to the images of a step (Goyal et al. 2017)."""
        if self.profile.base_lr:
            return self.profile.base_lr * self.batch_size / self.usual_batch_size
        return self.row.base_lr * self.batch_size / self.row.batch_size

    @property
    def changes(self) -> dict[str, Any]:
        """The parameters given that change what is computed, beside row, profile and seed."""
        values = {name: getattr(self, name) for name in ("precision", "batch",
                                                         "checkpoint_activations")}
        return {name: value for name, value in values.items() if value}

    @property
    def short_steps(self) -> int | None:
        """Optimiser steps of a shortened schedule; None for the row's own."""
        of_paper = self.profile.paper_steps if isinstance(self.row, PaperRow) else None
        return of_paper or self.profile.steps

    def total_steps(self, num_images: int) -> int:
        """Optimiser steps of the whole schedule on a training split of `num_images`."""
        return self.short_steps or self.row.total_steps(num_images, self.batch_size)

    def evaluate_every(self, num_images: int) -> int:
        """Steps between evaluations."""
        if self.short_steps:
            return -(-self.short_steps // self.profile.evaluations)
        return EPOCHS_BETWEEN_EVALUATIONS * max(1, num_images // self.batch_size)

    def checkpoint_every(self, num_images: int) -> int:
        """Steps between checkpoints; the full recipe saves by time, and before evaluations."""
        return max(1, self.evaluate_every(num_images) // (
            CHECKPOINTS_PER_EVALUATION if self.profile.steps else 1))


def given_parameters(names: dict[str, Any]) -> dict[str, Any]:
    """The parameters among a notebook's `globals()`, unknown ones too, as `given_values` says."""
    return given_values(names, PARAMETERS)


def row_facts(row: Row) -> dict[str, Any]:
    """The columns of a row as plain values, for JSON."""
    facts = {field.name: getattr(row, field.name) for field in fields(row)}
    if isinstance(row, PaperRow):
        facts |= {name: list(value) if isinstance(value, tuple) else value
                  for name, value in asdict(facts.pop("variant")).items()}
    return facts
