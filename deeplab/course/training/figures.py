"""Pictures of lesson 8: images learnt by heart, loss curves, schedules, a run watched live."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from deeplab.course.quick import demo_experiment
from deeplab.course.training.overfit import overfit, with_batch_statistics
from deeplab.data.labelset import LabelSet
from deeplab.evaluation.upsample import upsampled_argmax
from deeplab.figures.plots import (BLUE, GREY, LINES, ORANGE, class_legend, figure, finish,
                                   house_style, pictures_in_a_row, subplots)
from deeplab.figures.run import shown_image
from deeplab.model.network import DeepLabV3
from deeplab.runs.experiment import Experiment
from deeplab.training.loop import batches

ROW = "voc_r50_d16"
OPENING_STEPS = (0, 5, 10, 40)
WATCHED_IMAGE = 14  # of the drawn VOC's val split: a street
DASHES = ("-", "--", ":", "-.")


def four_images(row_id: str = ROW) -> tuple[Tensor, Tensor]:
    """The first four augmented samples of a row's demo: (4, 3, H, W) and (4, H, W)."""
    experiment = demo_experiment(row_id)
    image, label = next(batches(experiment.samples, experiment.settings, start_step=0))
    return image[:4].clone(), label[:4].clone()


@house_style
def opening() -> Figure:
    """Two of four images that a network learns by heart, and what it says of them on the way."""
    experiment, shown = demo_experiment(ROW), (0, 2)
    label_set = experiment.config.label_set
    image, label = four_images()
    answers, network, done = {}, experiment.model, 0
    for steps in OPENING_STEPS:
        network, _ = overfit(network, image, label, steps=steps - done, lr=0.05)
        done = steps
        with torch.no_grad():
            logits = with_batch_statistics(network)(image).main
        answers[steps] = upsampled_argmax(logits, *label.shape[1:])
    fig, grid = subplots(3.7, 2, 2 + len(answers))
    for axes, index in zip(grid, shown, strict=True):
        pictures_in_a_row(axes, {
            "image": shown_image(image[index]), "label": label[index].numpy(),
            **{f"{steps} steps": one[index].numpy() for steps, one in answers.items()}}, label_set)
    for axes in grid[1]:
        axes.set_title("", loc="center")
    class_legend(fig, label[list(shown)].numpy(), label_set)
    return fig


@house_style
def curves(losses: Mapping[str, Sequence[float]], *, ignorant: float | None = None) -> Figure:
    """Losses over steps by name, on a logarithmic axis; `ignorant` is the loss of a mere guess."""
    fig, axes = subplots(3.2)
    for (name, values), colour, dash in zip(losses.items(), LINES, DASHES, strict=False):
        axes.plot(values, dash, color=colour, label=name)
    if ignorant is not None:
        axes.axhline(ignorant, color=GREY, linewidth=1, label="knows nothing")
    finish(axes, xlabel="step", ylabel="loss (logarithmic)", yscale="log",
           yticks=(0.2, 0.5, 1, 2, 4), yticklabels=("0.2", "0.5", "1", "2", "4"))
    axes.minorticks_off()
    return fig


@house_style
def schedules(rates: Mapping[str, Sequence[float]]) -> Figure:
    """Learning rates over a run by name, in per cent of the first one."""
    fig, axes = subplots(3.0)
    for (name, values), colour, dash in zip(rates.items(), LINES, DASHES, strict=False):
        axes.plot(np.linspace(0, 100, len(values)), 100 * np.asarray(values) / values[0], dash,
                  color=colour, label=name)
    finish(axes, xlabel="per cent of the steps", ylabel="per cent of the base rate", xlim=(0, 100),
           ylim=(0, 104), grid="both")
    return fig


def val_panels(experiment: Experiment, network: DeepLabV3) -> dict[str, np.ndarray]:
    """A street of the val split, its label and the network's prediction, by title."""
    image, label = experiment.eval_set[WATCHED_IMAGE]
    return {"image": image, "label": label,
            "prediction": experiment.predict(network, WATCHED_IMAGE)}


@house_style
def watched(log: Sequence[tuple[float, float]], total_steps: int,
            panels: Mapping[str, np.ndarray], label_set: LabelSet) -> Figure:
    """A run so far: (learning rate, loss) of each step, and an image with what is said of it.

    `panels` holds by title an image uint8 (h, w, 3), and labels (h, w).
    """
    fig = figure(3.6)
    left, right = fig.subfigures(1, 2, width_ratios=(4, 5))
    rate, loss = np.array(log).T
    above, below = left.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    above.plot(loss, color=BLUE)
    above.set(ylabel="loss", ylim=(0, 5), xlim=(0, total_steps))
    below.plot(rate, color=ORANGE)
    below.set(ylabel="rate", xlabel="step", ylim=(0, None))
    pictures_in_a_row(right.subplots(1, len(panels)), panels, label_set)
    labels = [pixels for pixels in panels.values() if pixels.ndim == 2]
    class_legend(right, labels, label_set, limit=8, columns=3)
    return fig


@house_style
def normalised(values: Mapping[int, np.ndarray]) -> Figure:
    """Histograms of what a BatchNorm hands on, (N, C) values by the size N of its batch."""
    fig = figure(2.8)
    edges = np.linspace(-3, 3, 49)
    axes = fig.subplots(1, len(values), sharey=True)
    for ax, (size, one) in zip(axes, values.items(), strict=True):
        ax.hist(np.ravel(one), edges, weights=np.full(np.size(one), 100 / np.size(one)), color=BLUE)
        ax.set(xlabel="normalised value")
        ax.set_title(f"batch of {size}", loc="center")
    axes[0].set(ylabel="per cent of values")
    return fig


@house_style
def scores_by_batch(scores: Mapping[int, Sequence[float]], running: float) -> Figure:
    """Per cent of pixels right by the number of images whose statistics are used."""
    fig, axes = subplots(3.0)
    for place, (size, values) in enumerate(scores.items()):
        axes.plot([place] * len(values), values, "o", color=BLUE, alpha=0.4,
                  label="one batch" if place == 0 else None)
    axes.plot(range(len(scores)), [np.mean(values) for values in scores.values()], "s-",
              color=ORANGE, label="mean")
    axes.axhline(running, color=GREY, label="running statistics")
    finish(axes, xticks=range(len(scores)), xticklabels=list(scores), ylim=(0, 100),
           xlabel="images in the batch", ylabel="pixels right, per cent")
    return fig
