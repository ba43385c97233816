"""Small datasets on disk, in the real datasets' own trees and under names written by hand."""

from pathlib import Path

import numpy as np
from PIL import Image

# (image, label) per split: the trees as their publishers ship them, not as the catalogue says
TREES = {
    "voc": {"root": "VOCdevkit/VOC2012", "train": "train", "lists": "ImageSets/Segmentation",
            "images": "JPEGImages/{}.jpg", "labels": "SegmentationClass/{}.png"},
    "ade20k": {"root": "ADEChallengeData2016", "train": "train", "lists": None,
               "images": "images/training/{}.jpg", "labels": "annotations/training/{}.png"},
    "cityscapes": {"root": "cityscapes", "train": "train", "lists": None,
                   "images": "leftImg8bit/train/{}_leftImg8bit.png",
                   "labels": "gtFine/train/{}_gtFine_labelIds.png"},
    "context": {"root": "VOCdevkit/VOC2010", "train": "train",
                "lists": "ImageSets/SegmentationContext", "images": "JPEGImages/{}.jpg",
                "labels": "SegmentationClassContext/{}.png"},
}
TREES["context59"] = TREES["context"]
IDS = {"cityscapes": ["ulm/ulm_000000_000019", "bonn/bonn_000001_000019"]}
RAW = {"voc": (0, 20, 255), "ade20k": (0, 1, 150), "cityscapes": (0, 7, 33),
       "context": (0, 1, 59), "context59": (0, 1, 59)}


def save(path: Path, array, mode: str | None = None, **options) -> Path:
    """Write an array as an image file, in `mode` where Pillow would choose another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(array, np.uint8))
    if mode == "P":
        image.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
    image.save(path, **options)
    return path


class Tree:
    """A dataset of two images of 6 x 9 pixels under `data_root`; `root` is its own folder."""

    def __init__(self, name: str, data_root: Path):
        self.name, self.data_root, self.facts = name, data_root, TREES[name]
        self.root = data_root / self.facts["root"]
        self.ids = IDS.get(name, ["b_0002", "a_0001"])
        for id in self.ids:
            self.add(id)
        if self.facts["lists"]:
            self.list("train", *self.ids)

    def add(self, id: str, value: int | None = None) -> None:
        """One image with its label: rows of the raw values of this dataset, or of `value`."""
        values = RAW[self.name] if value is None else (value,) * 3
        save(self.image(id), np.full((6, 9, 3), sum(id.encode()) % 256))  # no two alike
        save(self.label(id), np.repeat(values, 18).reshape(6, 9), mode="P")

    def image(self, id: str) -> Path:
        return self.root / self.facts["images"].format(id)

    def label(self, id: str) -> Path:
        return self.root / self.facts["labels"].format(id)

    def list(self, split: str, *ids: str) -> Path:
        path = self.root / self.facts["lists"] / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{id}\n" for id in ids))
        return path
