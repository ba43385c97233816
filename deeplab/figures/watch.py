"""Looking at a training while it runs: a line that moves on, and a picture of what it predicts.

The training does not know of it. A thread reads the run's log once a second, which is also how a
training in other processes is seen, and each evaluation leaves the prediction of one image.
"""

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from IPython.display import DisplayHandle
from matplotlib.figure import Figure

from deeplab.data.colours import label_colours
from deeplab.data.labelset import LabelSet
from deeplab.evaluation.metrics import Evaluation
from deeplab.figures.plots import (WIDTH, class_legend, drawn, house_style, label_picture, message,
                                   picture, subplots)
from deeplab.runs.config import RunConfig
from deeplab.runs.events import EventFiles, check_tensorboard
from deeplab.runs.experiment import Experiment
from deeplab.runs.outcome import Outcome
from deeplab.runs.records import newest_checkpoint, read_log
from deeplab.runs.status import Status, duration, status_line
from deeplab.support.errors import DeeplabError

LOOK_SECONDS = 1.0  # between two looks at the log
DRAWING = 0.02  # share of the time that may be spent on pictures; the last one is always drawn
SIDE = 320  # pixels, of the longer side of what is kept of a picture
SHOWN = 4  # predictions beside image and truth


class Seen(NamedTuple):
    """What the network made of the watched image at one evaluation."""

    line: int  # number of the line of the log that tells of the evaluation
    miou: float  # per cent, of the whole split
    prediction: np.ndarray  # train ids, uint8 (H, W)


class WatchedExperiment(Experiment):
    """An experiment whose training is shown below the cell that starts it.

    Raises as `Experiment`, and `UsageError` (E-TENSORBOARD).
    """

    def __init__(self, config: RunConfig):
        super().__init__(config)
        if config.tensorboard:
            check_tensorboard()
        self._watch: Watch | None = None

    def train(self) -> Outcome:
        """As `Experiment.train`, and shown meanwhile."""
        with contextlib.closing(Watch(self)) as self._watch:
            return super().train()

    def evaluate(self, model: Any, progress: Any = None) -> Evaluation:
        """As `Experiment.evaluate`; then one image is predicted once more, to be shown."""
        evaluation = super().evaluate(model, progress)
        if self._watch is not None:
            self._watch.evaluated(evaluation, self.predict(model, self._watch.index))
        return evaluation


class Watch:
    """A line and a picture in the output of a cell, brought up to date until `close`.

    Nothing that goes wrong here ends a training; the line says it.
    """

    def __init__(self, experiment: Experiment):
        config = experiment.config
        self.config, self.index = config, len(experiment.eval_set) // 2
        self.folder, self.stop = config.training.folder, experiment.settings.stop_step
        self.image, self.label = map(smaller, experiment.eval_set[self.index])
        self.lines: list[dict[str, Any]] = []
        self.seen: list[Seen] = []
        self.events = EventFiles(config.folder, newest_checkpoint(self.folder),
                                 config.label_set.classes) if config.tensorboard else None
        self._before, self._written, self._told, self._problem = self._state(), 0, 0, ""
        self._drawn, self._drawing_seconds, self._began = 0, 0.0, time.monotonic()
        self._line, self._picture = DisplayHandle(), DisplayHandle()
        self._words = status_line(config.row.row_id, Status("starting"))
        self._line.display(_text(self._words), raw=True)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    def evaluated(self, evaluation: Evaluation, prediction: np.ndarray) -> None:
        """Remember what an evaluation saw; the line of the log that tells of it comes next."""
        if not self.seen:  # its place, which is below the cell that runs now
            self._picture.display(_text("a picture follows"), raw=True)
        self.seen.append(Seen(len(list(read_log(self.folder))), evaluation.mean_iou,
                              smaller(prediction)))

    def close(self) -> None:
        """Show how it ended."""
        self._ended.set()
        self._thread.join()
        self._look(is_last=True)
        if self.events:
            self.events.close()

    def _look_on(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self._look()

    def _look(self, *, is_last: bool = False) -> None:
        """Show what is new; a log that nobody has touched yet is that of an earlier attempt."""
        try:
            state = self._state()
            if state != self._before or is_last:
                self._before = state
                self.lines = list(read_log(self.folder))
                self._show([one for one in self.seen if one.line < len(self.lines) or is_last],
                           is_last=is_last)
        except (DeeplabError, OSError, ValueError, RuntimeError) as error:
            self._problem = error.line if isinstance(error, DeeplabError) else str(error)
        if (words := self.words(is_last=is_last)) != self._words:
            self._words = words
            self._line.update(_text(words), raw=True)

    def _state(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError):
            facts = (self.folder / "log.jsonl").stat()
            return facts.st_size, facts.st_mtime_ns
        return None

    def words(self, *, is_last: bool = False) -> str:
        """The line: how far it is, loss, mIoU, the time to go or, at the end, that it took."""
        log: dict[str, Any] = {"step": 0}
        for line in self.lines:
            log |= line
        step, total, seconds = log["step"], log.get("total_steps", 0), log.get("seconds", 0)
        eta = max(0, self.stop - step) * seconds / step if step else None
        state = "running" if not is_last else ("stopped" if step < self.stop else
                                               "done" if step >= total else "ended")
        text = status_line(self.config.row.row_id, Status(
            state, step, total, log.get("loss"), log.get("miou"), eta=eta))
        return (text + f"  in {duration(seconds)}" * is_last
                + f"  (not all is shown: {self._problem})" * bool(self._problem))

    def _show(self, seen: Sequence[Seen], *, is_last: bool) -> None:
        """Bring the event files up to date, and the picture if that costs little time."""
        told = [(self.lines[min(one.line, len(self.lines) - 1)]["step"], one) for one in seen]
        if self.events:
            for line in self.lines[self._written:]:
                self.events.line(line)
            for step, one in told[self._told:]:
                self.events.picture(step, label_colours(one.prediction, self.config.label_set))
        self._written, self._told = len(self.lines), len(told)
        start = time.monotonic()
        is_cheap = self._drawing_seconds <= DRAWING * (start - self._began)
        if len(told) > self._drawn and (is_cheap or is_last):
            self._draw(spread_over(told))
            self._drawn, self._drawing_seconds = len(told), (
                self._drawing_seconds + time.monotonic() - start)

    def _draw(self, few: Sequence[tuple[int, Seen]]) -> None:
        words = ", ".join(str(step) for step, _ in few)
        fig = progress_figure(self.image, self.label, few, self.config.label_set)
        data, metadata = message(drawn(fig), (
            f"An image of the evaluation split, its truth, and its prediction after {words} "
            "steps, above each the mIoU of the whole split then."))
        self._picture.update(data, metadata=metadata, raw=True)


def smaller(pixels: np.ndarray) -> np.ndarray:
    """An image or a label with at most `SIDE` rows and columns: every second one, or third ..."""
    step = -(-max(pixels.shape[:2]) // SIDE)
    return np.ascontiguousarray(pixels[::step, ::step])


def spread_over(items: Sequence[Any], count: int = SHOWN) -> list[Any]:
    """At most `count` of `items`, first and last among them, at about equal distances.

    >>> spread_over(range(10)), spread_over([5, 6])
    ([0, 3, 6, 9], [5, 6])
    """
    if len(items) <= count:
        return list(items)
    return [items[round(number * (len(items) - 1) / (count - 1))] for number in range(count)]


@house_style
def progress_figure(image: np.ndarray, label: np.ndarray, told: Sequence[tuple[int, Seen]],
                    label_set: LabelSet) -> Figure:
    """Image, truth and the predictions after so many steps, beside each other."""
    columns = 2 + len(told)
    fig, axes = subplots(WIDTH / columns * label.shape[0] / label.shape[1] + 0.8, 1, columns)
    picture(axes[0], image, "image", is_photo=True)
    label_picture(axes[1], label, label_set, "truth")
    for ax, (step, one) in zip(axes[2:], told, strict=True):
        label_picture(ax, one.prediction, label_set, f"step {step}: {one.miou:.0f} %")
    class_legend(fig, [label, told[-1][1].prediction], label_set, limit=10)
    return fig


def _text(words: str) -> dict[str, str]:
    return {"text/plain": words}
