"""What decodes and is wrong all the same: labels of another kind than they seem, and leaks.

Each check is a property of whole labels or of whole splits, too dear or too late for reading.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np

from deeplab.data.catalog import SegmentationDataset
from deeplab.data.labelset import LabelSet
from deeplab.data.layout import UNUSED_LABELS, Layout
from deeplab.support.errors import DataError
from deeplab.support.listing import read_list, shown
from deeplab.support.void import IGNORE_INDEX

# Of the pixels between two that differ, the share with a value between them: at most 5 % in
# drawn and in street labels, at least 9 % once they were resized or turned by interpolation, or
# went through JPEG or WEBP.
INTERPOLATED_SHARE = 0.07
FEWEST_EDGES = 50  # pixels that a share is taken of
SHOWN = 8  # names that an error message lists
Pixels = Mapping[str, Mapping[str, Path]]  # split -> digest of an image's pixels -> its file


def odd_borders(raw: np.ndarray, label_set: LabelSet, path: Path) -> DataError | None:
    """An error (E-LABEL) for a label, uint8 (H, W), that seems interpolated or lossy, or None.

    Interpolation makes of neighbours 3 and 15 a border of 6, 9 and 12: classes that are not
    there. Pixels that are ignored do not count.
    """
    is_class = cv2.LUT(raw, (label_set.lookup != IGNORE_INDEX).astype(np.uint8))
    between = edges = 0
    for before, here, after in ((np.s_[:, :-2], np.s_[:, 1:-1], np.s_[:, 2:]),
                                (np.s_[:-2], np.s_[1:-1], np.s_[2:])):
        low = np.minimum(raw[before], raw[after])
        high = np.maximum(raw[before], raw[after])
        is_edge = (high - low > 1) & (is_class[before] & is_class[here] & is_class[after] > 0)
        edges += np.count_nonzero(is_edge)
        between += np.count_nonzero(is_edge & (low < raw[here]) & (raw[here] < high))
    if not FEWEST_EDGES <= edges < raw.size / 2 or between <= INTERPOLATED_SHARE * edges:
        return None
    return DataError.of(
        "E-LABEL", "a label with other classes along the borders of its classes", file=path,
        found=f"values between those beside them at {between:,} of {edges:,} border pixels",
        expected=f"fewer than {INTERPOLATED_SHARE:.0%}",
        do="make it again from its source; resize or turn labels by nearest neighbour only, "
           "and save them as PNG: interpolation and lossy formats invent classes")


def labelled_splits(layout: Layout, root: Path, expected: Iterable[str] = ()) -> tuple[
        list[str], list[str]]:
    """The splits to work on, and those left out because nothing in them has a label.

    The `expected` ones, if there are any, and `train` and `val` are never left out.
    """
    found = list(expected) or layout.splits(root)
    left_out = [split for split in found if split not in {*expected, "train", "val"}
                and not _has_labels(layout, root, split)]
    return [split for split in found if split not in left_out], left_out


def _has_labels(layout: Layout, root: Path, split: str) -> bool:
    images, labels = (layout.named(pattern, root, split).paths
                      for pattern in (layout.images, layout.labels))
    listed = images if "{split}" in layout.images else read_list(
        layout.list_file(root, split), images, root)
    return any(id in labels for id in listed)


def labels_without_images(samples: SegmentationDataset) -> Iterator[DataError]:
    """At most one error (E-PAIR), for a split whose folder of labels has further ones.

    A split that a list names is a choice, and the other files are no mistake.
    """
    layout, split = samples.label_set.layout, samples.split
    more = samples.left_out.get(UNUSED_LABELS, [])
    if more:
        yield DataError.of(
            "E-PAIR", f"{len(more)} labels of split {split!r} without an image",
            file=samples.root, found=shown(more), expected=layout.fill(layout.images, split=split),
            do="add the images under the names that the entry expects, or remove these labels")


def check_splits(train: SegmentationDataset, scored: SegmentationDataset) -> None:
    """Raise `DataError` (E-LEAK) if a list names one file for training and for scoring.

    That costs nothing; images that are the same under two names are what `verify` looks for.
    """
    both = sorted({sample.image for sample in train.samples}
                  & {sample.image for sample in scored.samples})
    if both:
        raise _leak(scored.root / both[0], train.split, scored.split, count=len(both))


def images_in_two_splits(pixels: Pixels) -> Iterator[DataError]:
    """An error (E-LEAK) for each image that is both in a training and in another split.

    Images are the same if their pixels are, whatever their names.
    """
    trained = [split for split in pixels if split.startswith("train") and split != "trainval"]
    scored = [split for split in pixels if split.startswith(("val", "test"))]
    for split in scored:
        for digest, path in pixels[split].items():
            other = next((name for name in trained if digest in pixels[name]), None)
            if other:
                yield _leak(path, other, split, twin=pixels[other][digest])


def _leak(path: Path, trained: str, scored: str, *, twin: Path | None = None,
          count: int = 1) -> DataError:
    return DataError.of(
        "E-LEAK", "an image that is trained on and scored", file=path,
        found=f"in splits {trained} and {scored}" + f", as {twin}" * (twin not in (None, path))
              + f", and {count - 1:,} more" * (count > 1), expected="in one of them",
        do="take it out of one split: a score of what was trained on says nothing")
