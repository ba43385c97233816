"""The pictures of one run: what it was fed, how it learnt, where it is right and wrong.

Every function takes plain data (arrays, the lines of log.jsonl) and returns a new Figure.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from deeplab.data.augment import MEAN, STD
from deeplab.data.colours import overlay
from deeplab.data.labelset import LabelSet
from deeplab.figures.numbers import number_pieces
from deeplab.figures.plots import (BLUE, GREEN, ORANGE, WIDTH, class_legend, figure, house_style,
                                   label_picture, note, picture, subplots, words_only)
from deeplab.runs.experiment import Experiment
from deeplab.runs.outcome import Outcome
from deeplab.support.plain import figure_text
from deeplab.support.void import IGNORE_INDEX, VOID_GREY

ACROSS = 4  # samples beside each other
BARS_PER_COLUMN = 30  # per-class bars that stand readable above each other
NO_SCORE = "No pixel of the evaluation split is labelled: nothing can be scored."
RIGHT, WRONG = (245, 245, 245), (213, 94, 0)  # RGB in an error map; WRONG is plots.RED


class Example(NamedTuple):
    """One image of the evaluation split and what the network made of it."""

    name: str  # "best", "median", "worst"
    image: np.ndarray  # uint8 (H, W, 3)
    label: np.ndarray  # (H, W), train ids
    prediction: np.ndarray  # (H, W)
    miou: float  # per cent, of this image alone


def shown_image(image: Tensor) -> np.ndarray:
    """A normalised image (3, H, W) back as uint8 (H, W, 3); padding becomes the mean colour."""
    pixels = image.numpy().transpose(1, 2, 0) * STD + MEAN
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


@house_style
def sample_grid(samples: Sequence[tuple[Tensor, Tensor]], label_set: LabelSet) -> Figure:
    """Augmented training samples as the network gets them, four in a row; overlays below."""
    images = [shown_image(image) for image, _ in samples]
    labels = [label.numpy() for _, label in samples]
    height, width = labels[0].shape
    rows = math.ceil(len(samples) / ACROSS)
    fig = figure(2 * rows * (WIDTH / ACROSS * height / width + 0.15) + 0.8)
    grid = fig.subplots(2 * rows, ACROSS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        row, column = divmod(number, ACROSS)
        picture(grid[2 * row, column], image, f"sample {number + 1}", is_photo=True)
        picture(grid[2 * row + 1, column], overlay(image, label, label_set))
        number_pieces(grid[2 * row + 1, column], label, label_set)
    class_legend(fig, labels, label_set)
    return fig


@house_style
def loss_curves(log: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss of the logged steps, whole and auxiliary, and the learning rate of each."""
    steps = [line for line in log if "loss" in line]
    step = [line["step"] for line in steps]
    fig, (left, right) = subplots(3.2, 1, 2, width_ratios=(3, 2))
    for key, text, colour, style in (("loss", "whole loss", BLUE, "-"),
                                     ("loss_aux", "auxiliary part", ORANGE, "--")):
        left.plot(step, [line[key] for line in steps], style, color=colour, label=text)
    left.set(title="Loss of one batch", xlabel="step", ylabel="cross-entropy", ylim=(0, None))
    left.legend()
    right.plot(step, [line["lr"] for line in steps], color=GREEN)
    right.set(title="Learning rate (poly)", xlabel="step", ylabel="rate",
              ylim=(0, 1.05 * steps[0]["lr"]))
    for axes in (left, right):
        axes.grid(axis="y")
    return fig


@house_style
def miou_over_time(log: Sequence[Mapping[str, Any]]) -> Figure:
    """mIoU on the evaluation split at every evaluation, each with its value."""
    points = [(line["step"], line["miou"]) for line in log if line.get("miou") is not None]
    if not points:
        return words_only(NO_SCORE)
    fig, axes = subplots(3.0)
    axes.plot(*zip(*points, strict=True), marker="o", color=BLUE)
    for step, miou in points:
        note(axes, f"{miou:.1f}", (step, miou), 0, 8, ha="center")
    last = points[-1]
    axes.set(title=f"{last[1]:.2f} % mIoU after {last[0]} steps", xlabel="step",
             ylabel="mIoU (per cent)", xlim=(0, 1.05 * last[0]),
             ylim=(0, max(1, 1.2 * max(miou for _, miou in points))))
    axes.grid(axis="y")
    return fig


@house_style
def class_bars(class_iou: Mapping[str, float | None], label_set: LabelSet) -> Figure:
    """IoU of every class that occurs, best first, in the class's own colour."""
    colours = dict(zip(label_set.classes, np.array(label_set.palette) / 255, strict=True))
    scores = sorted(((iou, name) for name, iou in class_iou.items() if iou is not None),
                    reverse=True)
    if not scores:
        return words_only(NO_SCORE)
    mean = sum(iou for iou, _ in scores) / len(scores)
    columns = math.ceil(len(scores) / BARS_PER_COLUMN)
    rows = math.ceil(len(scores) / columns)
    fig = figure(0.23 * rows + 1.1)
    for column, axes in enumerate(np.atleast_1d(fig.subplots(1, columns))):
        part = scores[column * rows:(column + 1) * rows]
        bars = axes.barh([figure_text(name) for _, name in part], [iou for iou, _ in part],
                         edgecolor="black", linewidth=0.6,
                         color=[colours[name] for _, name in part])
        axes.axvline(mean, color="black", linestyle=":", linewidth=1.5, zorder=0)
        for text in axes.bar_label(bars, fmt="%.0f", padding=3, in_layout=False):
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        axes.set(xlim=(0, 112), ylim=(rows - 0.4, -0.6), xlabel="IoU (per cent)",
                 xticks=(0, 25, 50, 75, 100))
        axes.tick_params(axis="y", length=0)
    fig.suptitle(f"{len(scores)} of {len(class_iou)} classes occur; their mean, dotted, is the "
                 f"mIoU: {mean:.2f} %", x=0.01, ha="left", fontsize=12)
    return fig


def picks(image_mious: Sequence[float]) -> dict[str, int]:
    """Which image is best, median and worst by its own mIoU; all-ignored ones do not count.

    Empty if none counts.
    """
    ranked = [int(index) for index in np.argsort(image_mious, kind="stable")
              if not math.isnan(image_mious[index])]
    if not ranked:
        return {}
    return {"best": ranked[-1], "median": ranked[len(ranked) // 2], "worst": ranked[0]}


def examples(experiment: Experiment, outcome: Outcome) -> list[Example]:
    """The best, median and worst evaluation image of a run, each predicted once more."""
    evaluation = outcome.evaluation
    return [Example(name, *experiment.eval_set[evaluation.indices[place]],
                    experiment.predict(outcome.model, evaluation.indices[place]),
                    evaluation.image_mious[place])
            for name, place in picks(evaluation.image_mious).items()]


def error_map(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Where a prediction is right (white), wrong (vermilion) or not judged (void grey)."""
    shown = np.where((label == prediction)[..., None], RIGHT, WRONG)
    return np.where((label == IGNORE_INDEX)[..., None], VOID_GREY, shown).astype(np.uint8)


@house_style
def example_rows(examples: Sequence[Example], label_set: LabelSet) -> Figure:
    """For each example a row: image, truth, prediction, error map."""
    if not examples:
        return words_only(NO_SCORE)
    ratio = max(example.label.shape[0] / example.label.shape[1] for example in examples)
    fig = figure(len(examples) * (WIDTH / 4 * ratio + 0.3) + 0.7)
    grid = fig.subplots(len(examples), 4, squeeze=False)
    for axes, example in zip(grid, examples, strict=True):
        counted = example.label != IGNORE_INDEX
        wrong = 100 * (example.label != example.prediction)[counted].mean()
        picture(axes[0], example.image, f"{example.name}: {example.miou:.0f} % mIoU",
                is_photo=True)
        label_picture(axes[1], example.label, label_set, "truth")
        label_picture(axes[2], example.prediction, label_set, "prediction")
        picture(axes[3], error_map(example.label, example.prediction),
                f"{wrong:.0f} % of pixels wrong")
    class_legend(fig, [part for example in examples
                       for part in (example.label, example.prediction)], label_set)
    return fig
