"""PASCAL Context made into index images from the JSON file of PASCAL in Detail.

The file lists `images` (`image_id`, `file_name`, `height`, `width`, `phase`) and
`annos_segmentation` (`image_id`, `category_id`, `segmentation` in COCO's run-length code);
later annotations lie over earlier ones. Upstream: mmseg `tools/convert_datasets/
pascal_context.py` and zhanghang1989/detail-api.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from deeplab.data.catalog import get_dataset
from deeplab.data.images import index_png
from deeplab.support.errors import DataError
from deeplab.support.files import atomic_write
from deeplab.support.folders import write_folder
from deeplab.support.own import refuse_linked

LABELS = "SegmentationClassContext"
LISTS = "ImageSets/SegmentationContext"
SPLITS = ("train", "val")
# the 60 of Detail's categories that are Context's classes, in the order of the classes
CATEGORIES = (0, 2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104,
              105, 113, 115, 144, 158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295,
              296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397, 415, 416, 420, 424, 427,
              440, 445, 454, 458)


def derive_context(annotations: Path, root: Path) -> dict[str, int]:
    """Write labels and lists into VOC 2010's `root`; returns the images of each split.

    Raises `DataError` (E-CONTEXT) for a file of another form.
    """
    try:
        content = json.loads(annotations.read_bytes())
        images = [image for image in content["images"] if image["phase"] in SPLITS]
        regions = defaultdict(list)
        for region in content["annos_segmentation"]:
            regions[region["image_id"]].append(region)
        if not (root / LABELS).is_dir():  # what is there already is left alone
            write_folder(root / LABELS, _labels(images, regions))
        lists = {split: sorted(Path(image["file_name"]).stem for image in images
                               if image["phase"] == split) for split in SPLITS}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise _unknown_form(annotations, f"{type(error).__name__}: {error}") from error
    refuse_linked(root / LISTS)
    for split, ids in lists.items():
        atomic_write(root / LISTS / f"{split}.txt", "".join(f"{id}\n" for id in ids))
    return {split: len(ids) for split, ids in lists.items()}


def _labels(images: list[Mapping[str, Any]], regions: Mapping[Any, list],
            ) -> Iterator[tuple[str, bytes]]:
    """(name, PNG) of each image's label."""
    label_set = get_dataset("context")
    with ThreadPoolExecutor() as pool:
        labels = pool.map(lambda image: index_png(
            context_label(image, regions[image["image_id"]]), label_set), images)
        for image, label in zip(images, tqdm(labels, "labels", len(images), disable=None)):
            yield f"{Path(image['file_name']).stem}.png", label


def context_label(image: Mapping[str, Any], regions: list[Mapping[str, Any]]) -> np.ndarray:
    """Raw label of one image, uint8 (H, W): 0..59, 0 where no region lies.

    Raises `DataError` (E-CONTEXT) for a category that is not among the 60.
    """
    label = np.zeros((image["height"], image["width"]), np.uint8)
    for region in regions:
        if region["category_id"] not in CATEGORIES:
            raise _unknown_form(image["file_name"], f"category {region['category_id']}")
        mask = decode_runs(region["segmentation"])
        label[mask] = CATEGORIES.index(region["category_id"])
    return label


def decode_runs(region: Mapping[str, Any]) -> np.ndarray:
    """A mask, bool (H, W), from COCO's run-length code `{"size": [H, W], "counts": ...}`.

    Counts are lengths of runs of 0 and 1 in turn, down the columns; as text they are numbers
    of base 32, lowest digit first, and from the fourth on differences to the one two before.

    >>> decode_runs({"size": [2, 3], "counts": [1, 2, 3]}).astype(int)
    array([[0, 1, 0],
           [1, 0, 0]])
    """
    height, width = region["size"]
    counts = region["counts"]
    runs = _runs(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
    if len(runs) and (runs.min() < 0 or runs.sum() != height * width):
        raise ValueError(f"runs of {runs.sum()} pixels for {height} x {width}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def _runs(counts: str) -> np.ndarray:
    """The lengths in COCO's text form: per byte 5 bits, a flag for more to come, from '0' on."""
    digits = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - ord("0")
    last = digits & 32 == 0
    starts = np.flatnonzero(np.r_[True, last[:-1]])
    place = np.arange(len(digits)) - np.repeat(starts, np.diff(np.r_[starts, len(digits)]))
    runs = np.add.reduceat((digits & 31) << 5 * place, starts)
    ends = np.flatnonzero(last)
    runs -= np.where(digits[ends] & 16, 1 << 5 * (place[ends] + 1), 0)  # the sign bit
    for first in (1, 2):
        runs[first::2] = np.cumsum(runs[first::2])
    return runs


def _unknown_form(file: object, found: str) -> DataError:
    return DataError.of("E-CONTEXT", "these are not the annotations of PASCAL Context", file=file,
                        found=found, expected="trainval_merged.json of PASCAL in Detail, whose "
                        "regions are run-length codes of 60 categories",
                        do="get the file again (data/README.md)")
