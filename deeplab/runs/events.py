"""TensorBoard's event files of a run, on request: the lines of its log, and its predictions.

They lie in `tensorboard/` of the run's folder and are a copy for people who look there anyway:
no result rests on them, and nothing of ours reads them.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deeplab.support.errors import UsageError
from deeplab.support.own import refuse_linked

EVENTS = "tensorboard"  # in the folder of a run
SCALARS = {"loss": "loss/whole", "loss_aux": "loss/auxiliary part", "lr": "learning rate",
           "miou": "mIoU"}


def check_tensorboard() -> None:
    """Raise `UsageError` (E-TENSORBOARD) where TensorBoard, which is optional, is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        raise UsageError.of("E-TENSORBOARD", "TensorBoard is not installed, so there are no event "
                            "files", do="pip install 'deeplab[tensorboard]', or leave "
                            "--tensorboard out: log.jsonl has the same numbers")


class EventFiles:
    """Event files below the folder of a run, for its steps from `first_step` on.

    TensorBoard forgets what an earlier process wrote of these steps. Raises `UsageError`
    (E-TENSORBOARD) and `ResourceError` (E-LINK).
    """

    def __init__(self, folder: Path, first_step: int, classes: Sequence[str]):
        check_tensorboard()
        refuse_linked(folder / EVENTS)
        self.folder, self.first_step, self.classes = folder / EVENTS, first_step, classes
        self._writer: Any = None

    @property
    def writer(self) -> Any:
        """TensorBoard's own, made when there is something to write."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter
            self._writer = SummaryWriter(str(self.folder), purge_step=self.first_step)
        return self._writer

    def line(self, line: Mapping[str, Any]) -> None:
        """Write a line of `log.jsonl`; those of earlier steps are there already."""
        if line["step"] < self.first_step:
            return
        for name, tag in SCALARS.items():
            if line.get(name) is not None:
                self.writer.add_scalar(tag, line[name], line["step"])
        for name, iou in zip(self.classes, line.get("class_iou", ()), strict=False):
            if iou is not None:
                self.writer.add_scalar(f"IoU/{name}", 100 * iou, line["step"])

    def picture(self, step: int, pixels: np.ndarray) -> None:
        """Write a picture, uint8 (H, W, 3), as the prediction after `step` steps."""
        self.writer.add_image("prediction", pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Bring everything to the disk."""
        if self._writer is not None:
            self._writer.close()
