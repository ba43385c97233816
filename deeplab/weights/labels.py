"""What weights say of their inputs and outputs, and whether the dataset's entry still says so."""

from pathlib import Path
from typing import Any

from deeplab.data.augment import MEAN, STD
from deeplab.data.catalog import get_dataset
from deeplab.model.network import ModelRow
from deeplab.support.errors import CheckpointError

DECISIVE = {"classes": "classes", "mean": "colours", "std": "colours"}  # not the palette


def labels_of(dataset: str) -> dict[str, Any]:
    """What weights trained on a dataset say of themselves, as plain values.

    Names and colours of the classes by output, and the mean and deviation that normalise RGB.
    """
    label_set = get_dataset(dataset)
    return {"classes": [*label_set.classes], "palette": [[*colour] for colour in label_set.palette],
            "mean": MEAN.tolist(), "std": STD.tolist()}


def check_labels(said: Any, row: ModelRow, path: Path) -> None:
    """Refuse weights whose outputs are other classes than those of the row's dataset today.

    `said` is what the file `path` says, as `labels_of`; nothing is refused where it says
    nothing. Raises `CheckpointError` (E-CKPT) with both lists.
    """
    if not isinstance(said, dict) or getattr(row, "dataset", None) is None:
        return
    today = labels_of(row.dataset)
    for key, what in DECISIVE.items():
        then = said.get(key, today[key])
        if then != today[key]:
            raise CheckpointError.of(
                "E-CKPT", f"these weights were trained for other {what}", file=path,
                found=", ".join(map(str, then)) if isinstance(then, list) else repr(then),
                expected=", ".join(map(str, today[key])) + f" (dataset {row.dataset})",
                do="restore the dataset's entry as it was, or train again with this one")
