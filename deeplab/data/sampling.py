"""Which images a step sees, and with which random numbers: pure functions of the seed.

Nothing here keeps a state. Training that starts at step 1000 asks for the batch of step 1000
and gets what an uninterrupted run gets, whatever the number of workers or processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from deeplab.data.augment import Crop, TrainTransform
from deeplab.data.catalog import SegmentationDataset
from deeplab.support.errors import DataError, UsageError

ORDER, AUGMENTATION = 0, 1  # the two streams of random numbers under one seed
Key = tuple[int, int]  # (epoch, index of the image)


def epoch_order(seed: int, epoch: int, num_images: int) -> np.ndarray:
    """The order of the images in an epoch: a permutation of 0..num_images-1."""
    return np.random.default_rng([seed, ORDER, epoch]).permutation(num_images)


def sample_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The random numbers with which image `index` is augmented in `epoch`."""
    return np.random.default_rng([seed, AUGMENTATION, epoch, index])


@dataclass(frozen=True)
class TrainSamples:
    """A map-style dataset of augmented samples; its key is (epoch, index), not index alone."""

    dataset: SegmentationDataset
    transform: TrainTransform
    seed: int

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Key) -> tuple[Tensor, Tensor]:
        epoch, index = key
        image, label = self.dataset[index]
        return self.transform(image, label, sample_rng(self.seed, epoch, index))

    @property
    def crops(self) -> CropSamples:
        """The same samples as bytes, for the loop to finish on its device."""
        return CropSamples(self)


@dataclass(frozen=True)
class CropSamples:
    """A map-style dataset of the crops of `TrainSamples`, by the same keys."""

    samples: TrainSamples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> Crop:
        epoch, index = key
        image, label = self.samples.dataset[index]
        rng = sample_rng(self.samples.seed, epoch, index)
        return self.samples.transform.crop(image, label, rng)


@dataclass(frozen=True, kw_only=True)
class EpochBatches:
    """A batch sampler: for each step from `start_step` on, a list of (epoch, index).

    `batch_size` counts the images of a step over all processes; process `rank` of `world`
    takes every world-th of them, so that a step sees the same images on any number. The last
    incomplete batch of an epoch is dropped, as upstream does.
    Raises `DataError` (E-BATCH) for fewer images than one batch, and `UsageError` (E-BATCH)
    for a batch that `world` does not divide.
    """

    num_images: int
    batch_size: int
    seed: int
    start_step: int
    total_steps: int
    rank: int = 0
    world: int = 1

    def __post_init__(self):
        if self.num_images < self.batch_size:
            raise DataError.of(
                "E-BATCH", "fewer training images than one batch", found=self.num_images,
                expected=f"at least {self.batch_size} images",
                do=f"add at least {self.batch_size - self.num_images} labelled images to the split "
                   "(is the dataset complete?), or, which is not the recipe, take fewer images a "
                   f"step: --batch-size {max(2, self.num_images)}")
        if self.batch_size % self.world:
            raise UsageError.of(
                "E-BATCH", "the batch cannot be divided evenly", found=f"{self.world} processes",
                expected=f"a divisor of the batch of {self.batch_size} images",
                do="choose another number of processes")

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches in one pass."""
        return self.num_images // self.batch_size

    def __len__(self) -> int:
        return max(0, self.total_steps - self.start_step)

    def __iter__(self) -> Iterator[list[Key]]:
        order, order_epoch = None, None
        for step in range(self.start_step, self.total_steps):
            epoch, batch = divmod(step, self.steps_per_epoch)
            if epoch != order_epoch:
                order, order_epoch = epoch_order(self.seed, epoch, self.num_images), epoch
            first = batch * self.batch_size
            mine = order[first:first + self.batch_size][self.rank::self.world]
            yield [(epoch, int(index)) for index in mine]
