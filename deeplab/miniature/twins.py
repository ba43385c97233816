"""Miniature twins: small generated datasets in the native layout of the real ones.

A twin has the folders, file names, file kinds and label encoding of its dataset, so that the
very same loaders, recipe and evaluation serve both. It is drawn on first use from a seed, byte
for byte the same each time, and kept in `<data root>/<name>/`; a change of the drawing code or
of the vocabulary draws it anew, and so does a file that was lost.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from deeplab.data.catalog import LabelSet, get_dataset, stored_as
from deeplab.data.images import index_png
from deeplab.miniature.drawing import vocabulary
from deeplab.miniature.mark import marked
from deeplab.miniature.scenes import Painter
from deeplab.miniature.stamp import STAMP, File, is_whole, refuse_strangers, stamped
from deeplab.support.errors import UsageError
from deeplab.support.folders import data_folder, write_folder
from deeplab.support.locks import locked
from deeplab.support.source import without_words
from deeplab.support.void import IGNORE_INDEX

BORDERED = ("voc",)  # things in SegmentationClass have a 255 border; SegmentationClassAug has none
TRAIN_SHARE = 4  # one in four trainaug images belongs to VOC's own train list
JPEG_QUALITY = 92
EGO_VEHICLE, OUT_OF_ROI, STATIC = 1, 3, 4  # Cityscapes raw ids that no kind of a scene has
VOID_COLOURS = {EGO_VEHICLE: (35, 35, 42), OUT_OF_ROI: (15, 15, 15), STATIC: (90, 90, 90)}


def miniature(name: str, data_root: Path | str | None = None, *, seed: int = 0) -> Path:
    """The data root of the twin of dataset `name`, drawn now if it is not there.

    Twins lie in `data_root`, or in miniature/ of the project's data folder. Drawing one takes a
    few seconds, for which a second process waits. Raises `UsageError` (E-TWIN) for a dataset
    that has no twin, for a folder of that name that is no twin and for one that holds files of
    somebody else: they are left alone.
    """
    name = stored_as(name)
    if name not in vocabulary()["sets"]:
        raise UsageError.of("E-TWIN", f"dataset {name!r} has no miniature twin", found=name,
                            expected=", ".join(vocabulary()["sets"]),
                            do="run it at --profile small, medium or full with --data-root")
    folder = Path(data_root or data_folder() / "miniature") / (f"{name}-{seed}" if seed else name)
    if is_whole(folder, version(name)):
        return folder
    with locked(folder.with_name(f".{folder.name}.lock"), wait=True):
        if is_whole(folder, version(name)):
            return folder
        if folder.exists() and not (folder / STAMP).exists():
            raise UsageError.of("E-TWIN", "a folder that is no miniature twin is in the way",
                                file=folder, do="give another --data-root; for a real dataset "
                                                "choose --profile small, medium or full")
        refuse_strangers(folder, lambda: dict(_draw(get_dataset(name), seed)))
        return write_folder(folder, stamped(_draw(get_dataset(name), seed), dataset=name,
                                            seed=seed, version=version(name)), replace=True)


@functools.cache
def version(name: str) -> str:
    """Twelve hexadecimal digits over everything that the twin of dataset `name` is drawn from.

    Of the vocabulary that is what all sets share and the scenes of this one.
    """
    name = stored_as(name)
    here, data = files("deeplab.miniature"), files("deeplab.data")
    code = [without_words(here.joinpath(module).read_text(encoding="utf-8"))
            for module in ("drawing.py", "look_alikes.py", "scenes.py", "twins.py")]
    words, classes = (json.loads(path.read_text(encoding="utf-8"))
                      for path in (here.joinpath("scenes.json"), data.joinpath("classes.json")))
    drawn_from = [code, words | {"sets": words["sets"][name]}, classes[name]]
    return sha256(json.dumps(drawn_from).encode()).hexdigest()[:12]


def _draw(label_set: LabelSet, seed: int) -> Iterator[File]:
    """Every file of a twin: the pictures and labels of all splits, then the lists."""
    spec, layout = vocabulary()["sets"][label_set.name], label_set.layout
    train, val = ("trainaug" if label_set.name == "voc" else "train"), "val"
    lists: dict[str, list[str]] = {train: [], val: []}
    for part, (split, size) in enumerate([(train, spec["train"]), (val, spec["val"])]):
        painter = Painter(label_set.name)
        for number in range(size):
            image, kinds = painter.picture(number, np.random.default_rng([seed, part, number]))
            raw = _raw_labels(kinds, painter.kinds, label_set, spec)
            lists[split].append(_identifier(label_set.name, split, number))
            for path, content in _pair(label_set, split, number, lists[split][-1], image, raw):
                yield f"{layout.folders[0]}/{path}", content
    if label_set.name == "voc":
        lists["train"] = lists[train][::TRAIN_SHARE]
    for split, identifiers in lists.items():
        if layout.lists:
            text = "".join(f"{identifier}\n" for identifier in identifiers)
            yield f"{layout.folders[0]}/{layout.lists.replace('{split}', split)}", text.encode()


def _pair(label_set: LabelSet, split: str, number: int, identifier: str, image: np.ndarray,
          raw: np.ndarray) -> Iterator[File]:
    """One image and its label file(s), as the real dataset stores them."""
    layout = label_set.layout
    if label_set.name == "cityscapes":
        image, raw = with_void_regions(image, raw)
    yield layout.fill(layout.images, split=split, id=identifier), encoded_image(
        image, "JPEG" if layout.images.endswith(".jpg") else "PNG")
    label = layout.fill(layout.labels, split=split, id=identifier)
    if label_set.name not in BORDERED:
        yield label, index_png(raw)
        return
    if split == "val" or number % TRAIN_SHARE == 0:
        yield label, index_png(with_border(raw), label_set)
    if split in layout.extra_labels:
        extra = layout.fill(layout.extra_labels[split], split=split, id=identifier)
        yield extra, index_png(raw, label_set)


def _raw_labels(kinds: np.ndarray, names: list[str], label_set: LabelSet,
                spec: dict) -> np.ndarray:
    """Raw label values, uint8, of a map of kinds; kinds without a class get the spec's rest."""
    rest = label_set.raw_lookup[label_set.classes.index(spec["rest"]) if spec["rest"]
                                else IGNORE_INDEX]
    table = np.full(len(names), rest, np.uint8)
    for index, kind in enumerate(names):
        name = spec["names"].get(kind, kind)
        if name in label_set.classes:
            table[index] = label_set.raw_lookup[label_set.classes.index(name)]
    return table[kinds]


def _identifier(name: str, split: str, number: int) -> str:
    """A file name in the dataset's own manner; unique over the splits."""
    if name == "cityscapes":
        return f"miniature/miniature_{number:06d}_000019"
    if name == "ade20k":
        return f"ADE_{split}_{number + 1:08d}"
    return f"{2007 if split == 'val' else 2008}_{number:06d}"


def with_border(raw: np.ndarray, width: int = 1) -> np.ndarray:
    """A copy whose class boundaries are void, `width` pixels to either side, as VOC draws them."""
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    edge = cv2.dilate(raw, kernel) != cv2.erode(raw, kernel)
    return np.where(edge, np.uint8(IGNORE_INDEX), raw)


def with_void_regions(image: np.ndarray, raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Copies with what every Cityscapes frame leaves out, in the picture and in its label:
    the bonnet of the car that films, the border of the frame, a fixed part in a corner.
    """
    image, raw = image.copy(), raw.copy()
    height, width = raw.shape
    void = np.zeros_like(raw)
    cv2.ellipse(void, (width // 2, height), (width // 3, height // 14), 0, 0, 360,
                EGO_VEHICLE, -1)
    void[:, :2] = void[:, -2:] = void[:1] = OUT_OF_ROI
    void[-height // 20:, :width // 16] = STATIC
    for value, colour in VOID_COLOURS.items():
        image[void == value], raw[void == value] = colour, value
    return image, raw


def encoded_image(image: np.ndarray, kind: str) -> bytes:
    """A JPEG or PNG file of an image, uint8 (H, W, 3) RGB, with the mark of a drawn picture."""
    file = io.BytesIO()
    # PNG has no use for a quality
    Image.fromarray(image).save(file, kind, quality=JPEG_QUALITY, **marked(kind))
    return file.getvalue()
