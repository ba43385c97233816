"""Two results beside each other: the difference of their mIoU, and whether it is shown.

Both scored the same images, so the images are drawn anew in pairs (paired bootstrap): the same
images for both, as often as there are, with replacement, and the difference of the two mIoU
each time. The interval holds what the choice of images does. What another seed would do is not
in it; that takes runs with several seeds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from deeplab.evaluation.metrics import counted_iou
from deeplab.runs.evidence import COUNTS, Counts, read_counts
from deeplab.support.errors import UsageError

DRAWS = 2000  # of the bootstrap
LEVEL = 95  # per cent of the draws that the interval holds
CHUNK = 200  # draws at a time, to bound the memory


@dataclass(frozen=True)
class Comparison:
    """Two results of the same images, in per cent."""

    name: str  # "voc_r50_d8 seed 0"
    first: float  # mIoU
    second: float
    low: float  # of the interval of second - first
    high: float
    images: int

    @property
    def words(self) -> str:
        """The difference with its interval, and what it shows."""
        shown = ("no difference is shown" if self.low <= 0 <= self.high else
                 f"the {'second' if self.low > 0 else 'first'} is better on images like these")
        return (f"{self.second - self.first:+.2f} ({LEVEL} % interval {self.low:+.2f} to "
                f"{self.high:+.2f}, {self.images:,} images): {shown}")


def compare(first: Path, second: Path) -> list[Comparison]:
    """Compare two runs, or every run that two results folders have in common.

    A path is a results folder, the folder of a run, or a result of `deeplab evaluate`. Raises
    `UsageError` (E-COMPARE) if there is nothing in common, or the images are not the same,
    `DataError` (E-COUNTS).
    """
    ones, others = dict(_counted(first)), dict(_counted(second))
    common = [name for name in ones if name in others]
    if len(ones) == len(others) == 1:  # two runs, whatever they are called
        common, others = [*ones], dict(zip(ones, others.values(), strict=True))
    if not common:
        raise UsageError.of("E-COMPARE", "the two have no run in common",
                            found=f"{', '.join(ones) or 'none'} and {', '.join(others) or 'none'}",
                            expected="results of the same rows and seeds, with the counts that "
                                     "runs of this version leave",
                            do="name two runs: deeplab compare RESULTS/demo/voc_r50_d8/seed0 "
                               "RESULTS/demo/voc_r50_d8/seed1")
    return [compared(name, read_counts(ones[name]), read_counts(others[name])) for name in common]


def compared(name: str, first: Counts, second: Counts) -> Comparison:
    """The comparison of two counts; raises `UsageError` (E-COMPARE) for other images or classes."""
    order = {id: place for place, id in enumerate(second.ids)}
    if set(first.ids) != set(order) or first.counts.shape != second.counts.shape:
        raise UsageError.of("E-COMPARE", "the two did not score the same images", found=(
            f"{len(first.ids):,} and {len(second.ids):,} images, {len({*first.ids} & {*order}):,} "
            f"in common, {first.counts.shape[2]} and {second.counts.shape[2]} classes"),
            expected=f"the same images and classes for {name}")
    one, other = first.counts, second.counts[[order[id] for id in first.ids]]
    low, high = np.percentile(bootstrap(one, other), [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    scores = [float(miou(counts.sum(0)[None])[0]) for counts in (one, other)]
    return Comparison(name, *scores, float(low), float(high), len(one))


def bootstrap(one: np.ndarray, other: np.ndarray, *, draws: int = DRAWS) -> np.ndarray:
    """The difference of mIoU in each of `draws` choices of images: (draws,), in per cent."""
    count, rng = len(one), np.random.default_rng(0)
    flat, differences = np.stack([one, other]).reshape(2, count, -1).astype(np.float64), []
    for begin in range(0, draws, CHUNK):
        times = rng.multinomial(count, [1 / count] * count, size=min(CHUNK, draws - begin))
        first, second = (miou((times @ part).reshape(-1, *one.shape[1:])) for part in flat)
        differences.append(second - first)
    return np.concatenate(differences)


def miou(counts: np.ndarray) -> np.ndarray:
    """mIoU in per cent of each of several sums of counts (..., 3, K)."""
    return 100 * counted_iou(torch.from_numpy(counts)).nanmean(-1).numpy()


def _counted(path: Path) -> Iterator[tuple[str, Path]]:
    """The counts at a path, by the name of the run."""
    if path.is_file() or (path / COUNTS).is_file():
        yield path.name, path.with_suffix(".safetensors") if path.is_file() else path / COUNTS
        return
    for file in sorted(path.glob(f"*/*/seed*/{COUNTS}")):
        profile, row_id, seed = file.parts[-4:-1]
        yield f"{profile} {row_id} {seed}", file
