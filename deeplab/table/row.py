"""What a row is: `Row`, of the published table, and `PaperRow`, of the paper's own tables.

A column is a fact that a table or its recipe states; what follows from other facts is a
property. `Variant` holds what the paper's experiments vary and the published table does not.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from deeplab.data.catalog import get_dataset

BASE_RATES = (6, 12, 18)  # Sec. 3.3: rates of the 3x3 branches at output stride 16


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What the paper's tables vary; the defaults are the published table's."""

    blocks: int | None = None  # the last block of a cascade, 4 to 7; None: a pyramid instead
    multi_grid: tuple[int, ...] | None = None  # factors of block 4 and its copies; None: upstream's
    aspp_rates: tuple[int, ...] = BASE_RATES  # at output stride 16; empty for a cascade
    image_level: bool = True  # the pyramid's branch of the whole image
    eval_output_stride: int | None = None  # None: that of training
    scales: tuple[float, ...] = (1.0,)  # at which an evaluation image is seen
    flip: bool = False  # and also mirrored
    label_downsampled: bool = False  # the loss at feature resolution, not at the image's
    train_norm: bool = True  # BatchNorm of the backbone is trained, or else frozen


@dataclass(frozen=True)
class Row:
    """One row of the table; the fields are the columns of `rows.csv`, in order."""

    row_id: str  # "voc_r50_d8"
    dataset: str  # key of deeplab.data.catalog.DATASETS
    backbone: str  # "resnet50" | "resnet101"
    output_stride: int  # input pixels per feature cell, 8 or 16
    crop_height: int  # pixels
    crop_width: int  # pixels
    base_lr: float  # learning rate at step 0
    weight_decay: float
    batch_size: int  # images per step over all devices
    epochs: int
    train_split: str
    eval_split: str
    inference: str  # "whole" | "slide"
    published_miou: float  # per cent; None for what nobody published
    published_weights: str  # file name of the published checkpoint; "" for a row of one's own
    source: str  # upstream file that states the row's recipe
    variant: ClassVar[Variant] = Variant()

    @property
    def num_classes(self) -> int:
        """K, the classes that are trained and scored."""
        return get_dataset(self.dataset).num_classes

    @property
    def atrous_rates(self) -> tuple[int, ...]:
        """Rates in feature cells; doubled at output stride 8 (Sec. 3.3)."""
        return tuple(rate * 16 // self.output_stride for rate in BASE_RATES)

    def steps_per_epoch(self, num_images: int) -> int:
        """Optimiser steps in one pass: the last incomplete batch is dropped."""
        return num_images // self.batch_size

    def total_steps(self, num_images: int, batch_size: int) -> int:
        """Optimiser steps of the whole schedule, in batches of `batch_size`."""
        return self.epochs * (num_images // batch_size)


@dataclass(frozen=True, kw_only=True)
class PaperRow(Row):
    """A cell of one of the paper's tables; the fields are columns of `paper.csv`."""

    variant: Variant = field(default=Variant())
    table: str = ""  # "5", as the paper counts; "again" of an experiment that is not in it
    what: str = ""  # "MG (1, 2, 4), ASPP (6, 12, 18), image-level"
    checked: bool = False  # whether `published_miou` was compared with the paper itself
    iterations: int = 30_000  # optimiser steps of the paper's schedule
    trained_as: str = ""  # the row whose training this one evaluates; "" for one of its own
    epochs: int | None = None  # the paper counts steps

    @property
    def atrous_rates(self) -> tuple[int, ...]:
        """Rates in feature cells; doubled at output stride 8 (Sec. 3.3)."""
        return tuple(rate * 16 // self.output_stride for rate in self.variant.aspp_rates)

    @property
    def copies(self) -> int | None:
        """Copies of block 4 in cascade; None for a pyramid."""
        return None if self.variant.blocks is None else self.variant.blocks - 4

    def total_steps(self, num_images: int, batch_size: int) -> int:
        """Optimiser steps of the whole schedule."""
        return self.iterations
