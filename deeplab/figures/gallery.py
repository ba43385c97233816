"""Pictures of the rows beside each other: the same images, truth, predictions and errors.

The pictures are those that each run left (`runs.evidence`). They are decoded by the readers of
datasets and encoded anew, for a results folder may be a stranger's. A strip of pictures scrolls
sideways by itself: no script is needed.
"""

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from deeplab.data.catalog import get_dataset
from deeplab.data.colours import label_colours
from deeplab.data.images import read_image, read_indices
from deeplab.data.labelset import LabelSet
from deeplab.figures.run import error_map
from deeplab.runs.evidence import PICTURES, SHOWN
from deeplab.support.errors import DataError
from deeplab.support.void import IGNORE_INDEX

STRIPS = 3  # images of a dataset


class Picture(NamedTuple):
    """One image of a dataset as the rows see it."""

    image: np.ndarray  # uint8 (H, W, 3)
    label: np.ndarray  # train ids, uint8 (H, W)
    predictions: dict[str, np.ndarray]  # by row_id, like the label

    @property
    def right(self) -> dict[str, float]:
        """The share of pixels that each row gets right, in per cent."""
        counted = self.label != IGNORE_INDEX
        return {row_id: 100 * float((found == self.label)[counted].mean()) if counted.any() else 0.0
                for row_id, found in self.predictions.items()}

    @property
    def disagreement(self) -> float:
        """By how many per cent of the pixels the best and the worst row differ."""
        shares = self.right.values()
        return max(shares) - min(shares)


def gallery(entries: Sequence[Mapping[str, Any]]) -> str:
    """HTML: for each dataset the image on which its rows differ most, and others; "" if none."""
    parts = []
    for dataset in dict.fromkeys(entry["dataset"] for entry in entries):
        rows = {entry["row_id"]: entry["folder"] for entry in reversed(entries)
                if entry["dataset"] == dataset}  # of several seeds the first
        pictures = sorted(read_pictures(dict(reversed(rows.items()))), reverse=True,
                          key=lambda picture: picture.disagreement)
        if pictures:
            chosen = [pictures[0], *pictures[1:][::max(1, len(pictures) // STRIPS)]][:STRIPS]
            label_set = get_dataset(dataset)
            parts.append(f"<h3>{html.escape(label_set.title)}</h3>")
            parts += [strip(picture, label_set, is_first=number == 0)
                      for number, picture in enumerate(chosen)]
    return "\n".join(parts)


def read_pictures(rows: Mapping[str, Path]) -> Iterator[Picture]:
    """The pictures that all of `rows` left; those that are missing or damaged are left out."""
    for number in range(SHOWN):
        found: dict[str, np.ndarray] = {}
        image = label = None
        for row_id, folder in rows.items():
            start = folder / PICTURES / str(number)
            try:
                if image is None:
                    image, label = read_image(f"{start}-image.jpg"), read_indices(
                        f"{start}-label.png")
                prediction = read_indices(f"{start}-prediction.png")
            except DataError:
                continue
            if prediction.shape == label.shape == image.shape[:2]:
                found[row_id] = prediction
        if found:
            yield Picture(image, label, found)


def strip(picture: Picture, label_set: LabelSet, *, is_first: bool) -> str:
    """One image, its truth, and of each row the prediction above its errors."""
    figures = [figure([(picture.image, "the image")], "image"),
               figure([(label_colours(picture.label, label_set), "the truth")], "truth")]
    for row_id, prediction in picture.predictions.items():
        words = f"{row_id}: {picture.right[row_id]:.0f} % of the pixels right"
        figures.append(figure([
            (label_colours(prediction, label_set), f"prediction of {words}"),
            (error_map(picture.label, prediction), f"errors of {row_id}, in orange")], words))
    title = ("The image on which the rows differ most, of those kept" if is_first
             else "Another image")
    words = f"{title}: {picture.disagreement:.0f} points between the best and the worst row."
    if len(picture.predictions) == 1:
        words = ("Only one row has left predictions: there is nothing to compare yet." if is_first
                 else "Another image.")
    return (f'<p class="strip-title">{words}</p>\n<div class="strip" tabindex="0" role="group" '
            f'aria-label="{words}">{"".join(figures)}</div>')


def figure(pictures: Sequence[tuple[np.ndarray, str]], caption: str) -> str:
    """Pictures with their alternative texts above one caption."""
    images = "".join(f'<img src="data:image/png;base64,{png(pixels)}" alt="{html.escape(alt)}" '
                     f'width="{pixels.shape[1]}" height="{pixels.shape[0]}">'
                     for pixels, alt in pictures)
    return f"<figure>{images}<figcaption>{html.escape(caption)}</figcaption></figure>"


def png(pixels: np.ndarray) -> str:
    """Pixels, uint8 (H, W, 3), as a PNG file in base64."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
