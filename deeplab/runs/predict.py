"""Label photographs of any size with any weights: index image, overlay, and areas."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch import nn

from deeplab.data.augment import EvalTransform
from deeplab.data.colours import overlay
from deeplab.data.images import index_png, read_photo
from deeplab.data.labelset import LabelSet
from deeplab.evaluation.inference import predict
from deeplab.runs.config import RunConfig
from deeplab.runs.device import device_of
from deeplab.runs.photos import check_targets, marked
from deeplab.support.errors import UsageError
from deeplab.support.files import atomic_write
from deeplab.support.torch_errors import translate_torch_errors
from deeplab.table.rows import get_row, load_rows
from deeplab.weights.files import WeightFile
from deeplab.weights.fused import optimize_for_inference
from deeplab.weights.published import PUBLISHED, published_weights

LESS_MEMORY = ("label it on the CPU (--device cpu), or a smaller copy of it; another process may "
               "hold the GPU: nvidia-smi")


class Labelled(NamedTuple):
    """What was made of one photograph."""

    photo: Path
    label: Path  # index PNG, values as in the dataset's own label files
    overlay: Path | None
    areas: list[tuple[str, int, float]]  # class, pixels, per cent; largest first


def label_photos(photos: Sequence[Path | str], weights: Path | str, *, row_id: str | None = None,
                 profile: str | None = None, device: str | None = None,
                 out: Path = Path("predictions"), raw: bool = False,
                 overwrite: bool = False) -> Iterator[Labelled]:
    """Label photographs with `weights`, a file or "published", one after the other.

    Writes NAME_label.png, an index image in the dataset's colours, and NAME_overlay.png; with
    `raw` only NAME.png in plain grey, as test servers take it. The values are always those of
    the dataset's own label files. Raises `UsageError`: E-ROW if neither `row_id` nor the file
    says whose weights they are, E-TWICE if two results would have one name, E-EXISTS if one
    would replace what this function did not write; `CheckpointError`; `DataError` (E-IMAGE);
    `ResourceError` (E-OOM, E-CUDA).
    """
    photos = [Path(photo) for photo in photos]
    endings = (".png",) if raw else ("_label.png", "_overlay.png")
    check_targets(photos, (out / f"{photo.stem}{ending}" for photo in photos
                           for ending in endings), overwrite=overwrite)
    file = weight_file(weights, row_id)
    config = weights_config(file, row_id=row_id, profile=profile, device=device)
    labels = config.label_set
    model = file.model(config.row, config.profile.name)
    with translate_torch_errors("the network", less=LESS_MEMORY):
        model = optimize_for_inference(model.to(device_of(config)))
    for photo in photos:
        image = read_photo(photo)
        size = f"{image.shape[1]} x {image.shape[0]} pixels"
        with translate_torch_errors(f"a photograph of {size}", less=LESS_MEMORY):
            prediction = predict_photo(model, image, config)
        label = index_png(labels.raw_lookup[prediction], None if raw else labels)
        written = [atomic_write(out / f"{photo.stem}{endings[0]}", marked(label))]
        if not raw:
            mixed = _png(Image.fromarray(overlay(image, prediction, labels)))
            written.append(atomic_write(out / f"{photo.stem}{endings[1]}", marked(mixed)))
        yield Labelled(photo, written[0], None if raw else written[1], areas(prediction, labels))


def weight_file(weights: Path | str, row_id: str | None) -> WeightFile:
    """The weights in a file, or for "published" those of the row, fetched if need be.

    Raises `UsageError` (E-ROW), `CheckpointError`, and `DataError` as a download does.
    """
    if str(weights) != PUBLISHED:
        return WeightFile.read(weights)
    if row_id is None:
        raise UsageError.of("E-ROW", "published weights are those of a row", found="no row",
                            expected="a row of the table",
                            do="name it with --row; `deeplab rows` lists them")
    return WeightFile.read(published_weights(get_row(row_id)))


def weights_config(file: WeightFile, *, row_id: str | None = None, profile: str | None = None,
                   device: str | None = None) -> RunConfig:
    """The row and profile that weights belong to: as given, as the file records, by its name."""
    by_name = {row.published_weights: name for name, row in load_rows().items()}
    row_id = row_id or file.row_id or by_name.get(file.path.name)
    if row_id is None:
        raise UsageError.of("E-ROW", "this file does not say which row its weights belong to",
                            file=file.path, found="no row", expected="a row of the table",
                            do="name it with --row; `deeplab rows` lists them")
    return RunConfig.of(row_id=row_id, profile=profile or file.profile or "full", device=device)


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
