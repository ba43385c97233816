"""Label photographs of any size with any weights: index image, overlay, and areas."""

from __future__ import annotations

import glob
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn

from deeplab.data.augment import EvalTransform
from deeplab.data.colours import overlay
from deeplab.data.images import index_png, read_photo
from deeplab.data.labelset import LabelSet
from deeplab.evaluation.inference import predict
from deeplab.runs.config import RunConfig
from deeplab.support.errors import DataError, UsageError
from deeplab.support.files import atomic_write
from deeplab.table.rows import load_rows
from deeplab.weights.files import WeightFile
from deeplab.weights.fused import optimize_for_inference

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


class Labelled(NamedTuple):
    """What was made of one photograph."""

    photo: Path
    label: Path  # index PNG, values as in the dataset's own label files
    overlay: Path
    areas: list[tuple[str, int, float]]  # class, pixels, per cent; largest first


def label_photos(words: Sequence[str], weights: Path, *, row_id: str | None = None,
                 profile: str | None = None, out: Path = Path("predictions"),
                 ) -> Iterator[Labelled]:
    """Label every photograph that `words` (files, folders, patterns) name, one after the other.

    Raises `UsageError` (E-ROW) if neither `row_id` nor the file says whose weights they are,
    (E-TWICE) if two results would have one name, `CheckpointError`, and `DataError` (E-IMAGE).
    """
    file = WeightFile.read(weights)
    config = weights_config(file, row_id=row_id, profile=profile)
    photos = find_photos(words)
    twice = [name for name, count in Counter(photo.stem for photo in photos).items() if count > 1]
    if twice:
        raise UsageError.of("E-TWICE", "two photographs have one name, and so would their labels",
                            found=", ".join(twice[:8]), expected="names that differ",
                            do="label them in two runs, each with its own --out")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = optimize_for_inference(file.model(config.row, config.profile.name).to(device))
    for photo in photos:
        image = read_photo(photo)
        prediction = predict_photo(model, image, config)
        label_file = atomic_write(out / f"{photo.stem}_label.png",
                                  index_png(config.label_set.raw_lookup[prediction],
                                            config.label_set))
        mixed = overlay(image, prediction, config.label_set)
        overlay_file = atomic_write(out / f"{photo.stem}_overlay.png", _png(Image.fromarray(mixed)))
        yield Labelled(photo, label_file, overlay_file, areas(prediction, config.label_set))


def weights_config(file: WeightFile, *, row_id: str | None = None,
                   profile: str | None = None) -> RunConfig:
    """The row and profile that weights belong to: as given, as the file records, by its name."""
    by_name = {row.published_weights: name for name, row in load_rows().items()}
    row_id = row_id or file.row_id or by_name.get(file.path.name)
    if row_id is None:
        raise UsageError.of("E-ROW", "this file does not say which row its weights belong to",
                            file=file.path, found="no row", expected="a row of the table",
                            do="name it with --row; `deeplab rows` lists them")
    return RunConfig.of(row_id=row_id, profile=profile or file.profile or "full")


def find_photos(words: Sequence[str]) -> list[Path]:
    """The image files that are named, lie in the folders named, or fit the patterns; each once.

    Raises `DataError` (E-IMAGE) for a word that leads to none.
    """
    found: dict[Path, None] = {}
    for word in words:
        path = Path(word)
        hits = [path] if path.is_file() else sorted(
            Path(name) for name in glob.glob(f"{glob.escape(word)}/*" if path.is_dir() else word)
            if name.lower().endswith(ENDINGS))
        if not hits:
            raise DataError.of("E-IMAGE", "there are no photographs here", file=word,
                               found="no such file" if not path.is_dir() else "no image files",
                               expected=f"an image, a folder or a pattern ({' '.join(ENDINGS)})",
                               do="check the path")
        found |= dict.fromkeys(hits)
    return list(found)


def predict_photo(model: nn.Module, image: np.ndarray, config: RunConfig) -> np.ndarray:
    """Train ids, uint8 (H, W), of an image uint8 (H, W, 3), in the row's inference mode."""
    return predict(model, EvalTransform(config.resize)(image), height=image.shape[0],
                   width=image.shape[1], inference=config.inference)


def areas(prediction: np.ndarray, label_set: LabelSet) -> list[tuple[str, int, float]]:
    """(class, pixels, per cent of the image) of the classes that occur, largest first."""
    counts = np.bincount(prediction.ravel(), minlength=label_set.num_classes)
    order = np.argsort(-counts, kind="stable")[:np.count_nonzero(counts)]
    return [(label_set.classes[index], int(counts[index]), 100 * counts[index] / prediction.size)
            for index in order]


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
