"""What a run leaves to be compared and looked at: its counts image by image, and some pictures.

The counts are those that the score was added up from, so that two results of one split can be
compared image by image; the pictures are of images spread evenly over the split, the same ones
for every row of a dataset.
"""

import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from deeplab.data.catalog import SegmentationDataset
from deeplab.data.images import index_png
from deeplab.evaluation.metrics import Evaluation
from deeplab.model.network import DeepLabV3
from deeplab.runs.experiment import Experiment
from deeplab.support.errors import DataError
from deeplab.support.files import atomic_write
from deeplab.support.own import regular

COUNTS = "images.safetensors"  # in the folder of a run
PICTURES = "pictures"  # the same
SHOWN, SIDE = 8, 320  # pictures of a run; their longer side in pixels
LARGEST = 2**28  # bytes; 5,000 images of 150 classes take 9 million
PARTS = ("hit", "truth", "predicted")


class Counts(NamedTuple):
    """Pixels of each class, image by image."""

    ids: list[str]
    counts: np.ndarray  # int64 (N, 3, K): hit, of the truth, predicted; see `class_counts`


def save_counts(path: Path, samples: SegmentationDataset, evaluation: Evaluation) -> Path:
    """Write the counts of an evaluation; raises `ResourceError` (E-DISK, E-WRITE)."""
    counts = evaluation.image_counts.numpy().astype(np.int32)  # an image has fewer pixels
    tensors = {name: np.ascontiguousarray(counts[:, number]) for number, name in enumerate(PARTS)}
    ids = json.dumps([samples.ids[index] for index in evaluation.indices])
    return atomic_write(path, save(tensors, metadata={"ids": ids}))


def read_counts(path: Path) -> Counts:
    """The counts in a file; raises `DataError` (E-COUNTS) unless it is one of `save_counts`."""
    try:
        with open(path, "rb", opener=regular) as file:
            if file.seek(0, io.SEEK_END) > LARGEST:
                raise ValueError(f"more than {LARGEST:,} bytes")
        with safe_open(path, "numpy") as tensors:
            ids = json.loads((tensors.metadata() or {}).get("ids", "null"))
            counts = np.stack([tensors.get_tensor(name) for name in PARTS], axis=1)
        if not (isinstance(ids, list) and all(isinstance(id, str) for id in ids)
                and counts.dtype == np.int32 and counts.ndim == 3 and len(ids) == len(counts)
                and (counts >= 0).all() and (counts[:, 0] <= counts[:, 1:].min(1)).all()):
            raise ValueError("ids and counts do not fit each other")
    except (OSError, ValueError, SafetensorError) as error:
        raise DataError.of("E-COUNTS", "no counts image by image", file=path, found=error,
                           expected="a file that a run or an evaluation left",
                           do="make it anew: deeplab run --again, or deeplab evaluate") from error
    return Counts(ids, counts.astype(np.int64))


def save_evidence(experiment: Experiment, evaluation: Evaluation, model: DeepLabV3) -> None:
    """Leave counts and pictures in the folder of a run.

    Raises `ResourceError` (E-DISK, E-WRITE), and what reading a sample raises.
    """
    folder, samples = experiment.config.folder, experiment.eval_set
    save_counts(folder / COUNTS, samples, evaluation)
    for number, index in enumerate(spread(len(samples))):
        image, label = samples[index]
        prediction = experiment.predict(model, index)
        height, width = label.shape
        scale = min(1, SIDE / max(height, width))
        size = max(1, round(scale * width)), max(1, round(scale * height))
        for name, content in (("image.jpg", _jpeg(image, size)), ("label.png", _png(label, size)),
                              ("prediction.png", _png(prediction, size))):
            atomic_write(folder / PICTURES / f"{number}-{name}", content)


def spread(count: int) -> list[int]:
    """Up to `SHOWN` numbers spread evenly over range(count)."""
    return [number * count // SHOWN for number in range(SHOWN)] if count > SHOWN else [
        *range(count)]


def _jpeg(image: np.ndarray, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).resize(size, Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _png(label: np.ndarray, size: tuple[int, int]) -> bytes:
    """Train ids, uint8 (H, W), as a PNG in grey; nearest neighbours, for ids have no mean."""
    return index_png(np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST)))
