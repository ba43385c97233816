"""`DATASETS`, the label sets by name, and `SegmentationDataset`, which reads one split.

`DATASETS` holds the five label sets of the table; their facts stand in classes.json beside
this file. A dataset of one's own is one more JSON file of the same form, in the folder that
the variable DEEPLAB_DATASETS names (or in data/label_sets of this project).
"""

import json
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path

import numpy as np

from deeplab.data import root
from deeplab.data.images import read_image, read_label
from deeplab.data.labelset import LabelSet, parse_label_set
from deeplab.support.errors import DataError, UsageError, unknown
from deeplab.support.files import read_json
from deeplab.support.folders import named_folder
from deeplab.support.pack import Pack, Source, pack_path, write_pack

__all__ = ["DATASETS", "LabelSet", "SegmentationDataset", "find_root",
           "get_dataset", "load_label_set", "own_label_sets", "stored_as"]

Item = tuple[np.ndarray, np.ndarray]  # image uint8 (H, W, 3), label uint8 (H, W)


def _published() -> dict[str, LabelSet]:
    """The label sets of classes.json, and Context without its background class."""
    source = files("deeplab.data").joinpath("classes.json")
    entries = json.loads(source.read_text(encoding="utf-8"))
    sets = {name: parse_label_set(name, entry, source) for name, entry in entries.items()}
    sets["context59"] = sets["context"].without(
        "background", name="context59", title="PASCAL Context, 59 classes")
    return sets


DATASETS: dict[str, LabelSet] = _published()
# the JSON file yields fewer images than PASCAL Context counts (PyTorch-Encoding issue 155)
ALSO_RIGHT = {"context": {"train": 4996, "val": 5104}}
SAME_FILES = {"context59": "context"}  # both class lists are views of the same files


def get_dataset(name: str) -> LabelSet:
    """The label set called `name`; raises `UsageError` (E-DATASET) with the nearest names."""
    if name in DATASETS:
        return DATASETS[name]
    own = own_label_sets()
    if name not in own:
        raise unknown("E-DATASET", "dataset", name, [*DATASETS, *own])
    return own[name]


def published_sizes(label_set: LabelSet, split: str) -> list[int]:
    """The numbers of images that a split is known to have as published; none where unknown."""
    known = (label_set.split_sizes, ALSO_RIGHT.get(stored_as(label_set.name), {}))
    return [sizes[split] for sizes in known if split in sizes]


def stored_as(name: str) -> str:
    """The dataset whose files dataset `name` reads: mostly its own."""
    return SAME_FILES.get(name, name)


def load_label_set(path: Path | str) -> LabelSet:
    """The label set in a JSON file, named after the file; the form is that of classes.json."""
    return parse_label_set(Path(path).stem, read_json(path), path)


def own_label_sets() -> dict[str, LabelSet]:
    """The label sets that the user has added, by name.

    Raises `UsageError` (E-DATASET) for an entry that is wrong or takes a name of the table.
    """
    folder = named_folder("DEEPLAB_DATASETS")
    own = {path.stem: load_label_set(path) for path in sorted(folder.glob("*.json"))}
    for name in own.keys() & DATASETS.keys():
        raise UsageError.of("E-DATASET", f"the name {name!r} is taken", file=folder,
                            expected="a name that is not in the table", do="rename the file")
    return own


def find_root(label_set: LabelSet, data_root: Path | str) -> Path:
    """The folder of a dataset below `data_root`; raises `DataError` (E-LAYOUT) with a hint."""
    return root.find_root(label_set.layout, data_root, title=label_set.title)


class SegmentationDataset:
    """Images and labels of one split, decoded and checked one at a time.

    An item is `(image, label)`: uint8 (H, W, 3) RGB, and uint8 (H, W) train ids with 255 =
    ignore, both at their original size. `root` is a data root or the dataset's own folder.
    Opening checks that every file is there; reading raises `DataError` (E-IMAGE, E-LABEL,
    E-SIZE), and never skips an image, for that would be another dataset. `left_out` says which
    files beside them are no samples, and why. If the split has been
    packed, samples come from the pack, unless `use_pack` is false; a stale one is refused
    (E-PACK). With `keep`, for small datasets, what was decoded stays in memory.
    """

    def __init__(self, dataset: str | LabelSet, root: Path | str, split: str, *,
                 use_pack: bool = True, keep: bool = False):
        self.label_set = get_dataset(dataset) if isinstance(dataset, str) else dataset
        self.split = split
        self.root = find_root(self.label_set, root)
        self.samples, self.left_out = self.label_set.layout.samples(self.root, split)
        self.packed = Pack.open(self._pack_path, self.sources,
                                lookup=self.label_set.lookup) if use_pack else None
        self._kept: dict[int, Item] | None = {} if keep else None

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def ids(self) -> list[str]:
        """The ids of the images, in order; unique."""
        return [sample.id for sample in self.samples]

    def image_path(self, index: int) -> Path:
        """The file of the image at `index`."""
        return self.root / self.samples[index].image

    def label_path(self, index: int) -> Path:
        """The file of the label at `index`."""
        return self.root / self.samples[index].label

    def __getitem__(self, index: int) -> Item:
        if self.packed is not None:
            return self.packed[index]
        if self._kept is None:
            return self.decoded(index)
        if index not in self._kept:
            self._kept[index] = self.decoded(index)
        image, label = self._kept[index]
        return image, label.copy()  # a label may be written to, an image may not

    def decoded(self, index: int, *, thorough: bool = False) -> Item:
        """The sample at `index` from its files; `thorough` is that of `read_image`."""
        image = read_image(self.image_path(index), thorough=thorough)
        label = read_label(self.label_path(index), self.label_set)
        if image.shape[:2] != label.shape:
            height, width = image.shape[:2]
            raise DataError.of(
                "E-SIZE", "a label that is not the size of its image",
                file=self.label_path(index), found=f"{label.shape[0]} x {label.shape[1]}",
                expected=f"{height} x {width} (height x width), as {self.image_path(index)}",
                do="copy both files again from the same source")
        return image, label

    @property
    def sources(self) -> list[Source]:
        """The files of each sample, in order."""
        return [Source(sample.id, self.root / sample.image, self.root / sample.label)
                for sample in self.samples]

    @property
    def _pack_path(self) -> Path:
        return pack_path(self.root, self.label_set.name, self.split)

    def pack(self, progress: Callable[[range], Iterable[int]] = iter) -> Path:
        """Write the pack of this split, in place of an older one, and use it; returns the file.

        `progress` may wrap the numbers of the samples. Raises as reading does, and
        `ResourceError` (E-DISK, E-WRITE).
        """
        self.packed = None
        samples = (self[index] for index in progress(range(len(self))))
        path = write_pack(self._pack_path, samples, self.sources, lookup=self.label_set.lookup)
        self.packed = Pack.open(path, self.sources, lookup=self.label_set.lookup)
        return path
