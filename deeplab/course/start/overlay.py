"""The overlay viewer: a label and a prediction over their image, in a page that plays alone.

Opacity, truth or prediction or errors, the class under the pointer, one class alone. The page
(`overlay.html` beside this file) needs no kernel, no network and no library. Labels travel as
runs and not as pictures, because browsers that guard against tracking falsify pixels that are
read back. Notebooks are shipped with the still picture only.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from deeplab.course.explorer_page import explorer_page, show_frame
from deeplab.data.labelset import LabelSet
from deeplab.evaluation.metrics import confusion_matrix, mean_iou
from deeplab.figures import plots
from deeplab.figures.run import RIGHT, WRONG, Example, example_rows
from deeplab.support.errors import DataError
from deeplab.support.files import atomic_write
from deeplab.support.void import IGNORE_INDEX, VOID_GREY

FRAME_EXTRA = 230  # pixels of height for buttons and legend
SHOWN_WIDTH = 720  # pixels, about, at which the page shows an image


def draw(image: np.ndarray, label: np.ndarray, prediction: np.ndarray,
         label_set: LabelSet) -> Figure:
    """The still picture: image (H, W, 3), label, prediction (H, W) and where they differ."""
    confusion = confusion_matrix(prediction, label, num_classes=label_set.num_classes)
    example = Example("this image", image, label, prediction, mean_iou(confusion))
    return example_rows([example], label_set)


def page(image: np.ndarray, label: np.ndarray, prediction: np.ndarray, label_set: LabelSet, *,
         alt: str = "") -> str:
    """The viewer as one HTML document without any outside reference.

    Raises `DataError` (E-SHAPE) unless label and prediction have the size of the image.
    """
    for name, values in (("label", label), ("prediction", prediction)):
        if values.shape != image.shape[:2]:
            raise DataError.of("E-SHAPE", f"the {name} does not have the size of the image",
                               found=values.shape, expected=image.shape[:2])
    classes = [{"value": index, "name": label_set.classes[index],
                "color": label_set.palette[index]}
               for index in plots.classes_by_area([label, prediction], label_set)]
    return explorer_page(
        "start", "overlay.html", image, title="Label and prediction over an image", alt=alt,
        scale=_scale(label.shape[1]), right=RIGHT, wrong=WRONG, truth=runs(label),
        prediction=runs(prediction), ignore=IGNORE_INDEX,
        classes=[*classes, {"value": IGNORE_INDEX, "name": "void", "color": VOID_GREY}])


def save(path: Path | str, image: np.ndarray, label: np.ndarray, prediction: np.ndarray,
         label_set: LabelSet, *, alt: str = "") -> Path:
    """Write the viewer as a file that any browser opens."""
    return atomic_write(path, page(image, label, prediction, label_set, alt=alt))


def explore(image: np.ndarray, label: np.ndarray, prediction: np.ndarray, label_set: LabelSet, *,
            alt: str, interactive: bool = False) -> None:
    """Show the still picture, and above it the viewer if `interactive`.

    The still picture is an output of its own, which stays when a saved notebook is opened again.
    """
    fig = draw(image, label, prediction, label_set)
    if interactive:
        show_frame(page(image, label, prediction, label_set, alt=alt), title="overlay viewer",
                   height=label.shape[0] * _scale(label.shape[1]) + FRAME_EXTRA)
    plots.show(fig, alt=alt)


def runs(label: np.ndarray) -> list[int]:
    """A label (H, W), row after row, as value, length, value, length ...

    >>> runs(np.array([[7, 7, 7], [7, 0, 255]], np.uint8))
    [7, 4, 0, 1, 255, 1]
    """
    flat = np.asarray(label).ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    lengths = np.diff(np.append(starts, flat.size))
    return np.stack([flat[starts].astype(np.int64), lengths], 1).ravel().tolist()


def _scale(width: int) -> int:
    """Screen pixels per pixel of an image: small ones are enlarged by a whole factor."""
    return max(1, SHOWN_WIDTH // width)
