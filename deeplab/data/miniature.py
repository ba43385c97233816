"""Miniature twins: small generated datasets in the native layout of the real ones.

A twin has the folders, file names, file kinds and label encoding of its dataset, so that the
very same loaders, recipe and evaluation serve both. It is drawn on first use from a seed, byte
for byte the same each time, and kept in `<data root>/<name>/`; a change of the drawing code or
of the vocabulary draws it anew.
"""

from __future__ import annotations

import functools
import io
import os
import shutil
import tempfile
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from deeplab.data.catalog import IGNORE_INDEX, LabelSet, get_dataset
from deeplab.data.scenes import Painter, vocabulary
from deeplab.errors import UsageError
from deeplab.files import atomic_write, data_folder, sweep_temporaries, write_json

TWIN_OF = {"context59": "context"}  # both class lists are views of the same files
BORDERED = ("voc",)  # things in SegmentationClass have a 255 border; SegmentationClassAug has none
TRAIN_SHARE = 4  # one in four trainaug images belongs to VOC's own train list
EGO_VEHICLE, OUT_OF_ROI, STATIC = 1, 3, 4  # Cityscapes raw ids that no twin of a scene provides
JPEG_QUALITY = 92


def miniature(name: str, data_root: Path | str | None = None, *, seed: int = 0) -> Path:
    """The data root of the twin of dataset `name`, drawn now if it is not there.

    Twins lie in `data_root`, or in miniature/ of the project's data folder. Drawing one takes a
    few seconds. Two processes may ask at once: each draws into a folder of its own and the
    first to finish wins. Raises `UsageError` (E-TWIN) for a dataset that has no twin.
    """
    name = TWIN_OF.get(name, name)
    if name not in vocabulary()["sets"]:
        raise UsageError.of("E-TWIN", f"dataset {name!r} has no miniature twin", found=name,
                            expected=", ".join(vocabulary()["sets"]),
                            do="run it at --profile small or full with --data-root")
    folder = Path(data_root or data_folder() / "miniature") / (name if seed == 0 else f"{name}-{seed}")
    stamp = folder / "miniature.json"
    wanted = f'"version": "{version()}"'
    if stamp.is_file() and wanted in stamp.read_text(encoding="utf-8"):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        _draw(get_dataset(name), draft, seed)
        write_json(draft / "miniature.json", {"dataset": name, "seed": seed, "version": version()})
        if folder.exists() and not (stamp.is_file() and wanted in stamp.read_text()):
            shutil.rmtree(folder)
        try:
            os.rename(draft, folder)
        except OSError:  # another process was faster, and drew the same bytes
            if not stamp.is_file():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


@functools.cache
def version() -> str:
    """Twelve hexadecimal digits over everything that a twin is drawn from."""
    sources = ("scenes.json", "scenes.py", "miniature.py", "classes.json")
    return sha256(b"".join(files("deeplab.data").joinpath(source).read_bytes()
                           for source in sources)).hexdigest()[:12]


def _draw(label_set: LabelSet, data_root: Path, seed: int) -> None:
    """Draw all splits of a twin into `data_root`."""
    spec = vocabulary()["sets"][label_set.name]
    root = data_root / label_set.layout.folders[0]
    train, val = ("trainaug" if label_set.name == "voc" else "train"), "val"
    lists: dict[str, list[str]] = {}
    for part, split in enumerate((train, val)):
        painter = Painter(label_set.name)
        for number in range(spec["train" if part == 0 else "val"]):
            image, kinds = painter.picture(number, np.random.default_rng([seed, part, number]))
            raw = _raw_labels(kinds, painter.kinds, label_set, spec)
            identifier = _identifier(label_set.name, split, number)
            lists.setdefault(split, []).append(identifier)
            _write_pair(label_set, root, split, number, identifier, image, raw)
    if label_set.name == "voc":
        lists["train"] = lists[train][::TRAIN_SHARE]
    for split, identifiers in lists.items():
        if label_set.layout.lists:
            path = root / label_set.layout.lists.replace("{split}", split)
            atomic_write(path, "".join(f"{identifier}\n" for identifier in identifiers))
    sweep_temporaries(data_root)


def _write_pair(label_set: LabelSet, root: Path, split: str, number: int, identifier: str,
                image: np.ndarray, raw: np.ndarray) -> None:
    """Write one image and its label file(s) as the real dataset stores them."""
    layout = label_set.layout
    write_image(root / layout.fill(layout.images, split=split, id=identifier), image)
    if label_set.name == "cityscapes":
        raw = _with_void_regions(raw)
    label = root / layout.fill(layout.labels, split=split, id=identifier)
    if label_set.name not in BORDERED:
        write_label(label, raw, palette=None)
        return
    if split == "val" or number % TRAIN_SHARE == 0:
        write_label(label, with_border(raw), palette=label_set.palette)
    if split in layout.extra_labels:
        extra = root / layout.fill(layout.extra_labels[split], split=split, id=identifier)
        write_label(extra, raw, palette=label_set.palette)


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


def _with_void_regions(raw: np.ndarray) -> np.ndarray:
    """A copy with the regions that every Cityscapes frame leaves out: its border and the bonnet."""
    raw = raw.copy()
    height, width = raw.shape
    cv2.ellipse(raw, (width // 2, height), (width // 3, height // 14), 0, 0, 360, EGO_VEHICLE, -1)
    raw[:, :2] = raw[:, -2:] = raw[:1] = OUT_OF_ROI
    raw[-height // 20:, :width // 16] = STATIC
    return raw


def write_image(path: Path, image: np.ndarray) -> None:
    """Write uint8 (H, W, 3) RGB as JPEG or PNG, by the ending of `path`."""
    kind = "JPEG" if path.suffix == ".jpg" else "PNG"
    atomic_write(path, _encoded(Image.fromarray(image), kind, quality=JPEG_QUALITY))


def write_label(path: Path, raw: np.ndarray, *, palette: tuple | None) -> None:
    """Write uint8 (H, W) as an index PNG, with a colour palette (mode P) or plain (mode L)."""
    picture = Image.fromarray(raw)
    if palette is not None:
        colours = np.zeros((256, 3), np.uint8)
        colours[:len(palette)] = palette
        colours[IGNORE_INDEX] = (224, 224, 192)  # the devkit's colour of the border
        picture.putpalette(colours.tobytes())
    atomic_write(path, _encoded(picture, "PNG"))


def _encoded(picture: Image.Image, kind: str, quality: int = 0) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **({"quality": quality} if kind == "JPEG" else {}))
    return buffer.getvalue()
