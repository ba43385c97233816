"""Pictures of lesson 9: gradients beside the range of float16, precisions, waiting, memory."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from deeplab.course.gpus.float16 import map_gradients
from deeplab.course.gpus.two_processes import demo_batch
from deeplab.course.quick import demo_experiment
from deeplab.data.augment import EvalTransform
from deeplab.data.labelset import LabelSet
from deeplab.figures.plots import (BLUE, GREY, LINES, ORANGE, RED, finish, house_style, note,
                                   side_by_side, subplots)
from deeplab.planning.memory import GIB
from deeplab.planning.plan import PlanLine

ROW = "voc_r50_d16"
STREET = 14  # of the drawn VOC's val split
FULL_PIXELS = 16 * 512 * 512  # of a batch of the published VOC rows
ZERO = -25  # float16 rounds what is at most half its smallest number, 2 ** -24, to 0
TOP = 16  # its largest number is a little below 2 ** 16
SMALL_ONES = 1e-30  # below any gradient that counts; keeps the logarithm finite


def demo_gradients() -> Tensor:
    """Gradients of all maps of a fresh demo network, weighed as in a full batch of VOC."""
    return map_gradients(*demo_batch(), pixels=FULL_PIXELS)


@house_style
def gradient_sizes(gradients: Tensor, scales: Sequence[float]) -> Figure:
    """Histograms of |gradient| times each scale, beside what float16 can hold."""
    sizes = gradients[gradients.abs() > SMALL_ONES].abs().log2().numpy()
    fig, axes = subplots(3.2)
    edges = np.arange(-50, 20)
    for scale, colour, dash in zip(scales, (BLUE, ORANGE, RED), ("-", "--", ":"), strict=False):
        counts, _ = np.histogram(sizes + np.log2(scale), edges)
        axes.stairs(100 * counts / len(sizes), edges, color=colour, linestyle=dash, linewidth=2,
                    label="gradients" if scale == 1 else f"times {scale:,.0f}")
    axes.axvspan(edges[0], ZERO, color=GREY, alpha=0.3, linewidth=0, label="0 in float16")
    axes.axvspan(TOP, edges[-1], color=RED, alpha=0.3, linewidth=0, label="infinite")
    ticks = range(-48, 17, 8)
    finish(axes, xlabel="size of a gradient", ylabel="per cent of gradients", xlim=(-50, 19),
           xticks=ticks, xticklabels=[f"$2^{{{power}}}$" for power in ticks], ylim=(0, None),
           grid="")
    return fig


def opening() -> Figure:
    """Gradients as they are: a part of them is too small for float16."""
    return gradient_sizes(demo_gradients(), (1,))


def precisions(image: np.ndarray, predictions: Mapping[str, np.ndarray],
               label_set: LabelSet) -> Figure:
    """An image uint8 (h, w, 3), two predictions (h, w) by name, and where they differ."""
    one, two = predictions.values()
    differ = np.where((one != two)[..., None], np.uint8([0, 0, 0]), np.uint8([255, 255, 255]))
    fig = side_by_side({"image": image, **predictions, "differ": differ}, label_set, height=2.4)
    fig.axes[3].add_patch(Rectangle((-0.5, -0.5), one.shape[1], one.shape[0], fill=False,
                                    edgecolor=GREY, linewidth=1.5))
    return fig


@house_style
def memory(lines: Sequence[PlanLine]) -> Figure:
    """Memory of a step on each GPU, one bar for each plan, by what it is for."""
    fig, axes = subplots(3.2)
    bottom = np.zeros(len(lines))
    for field, colour in zip(fields(lines[0].memory), LINES, strict=False):
        height = np.array([getattr(line.memory, field.name) / GIB for line in lines])
        axes.bar(range(len(lines)), height, 0.6, bottom, color=colour, edgecolor="white",
                 linewidth=0.5, label=field.name)
        bottom += height
    for place, total in enumerate(bottom):
        note(axes, f"{total:.1f}", (place, total), 0, 3, ha="center")
    names = [f"{line.config.world} GPU{'s' * (line.config.world > 1)}\n"
             f"{line.config.batch_size // line.config.world} images each" for line in lines]
    axes.set(xticks=range(len(lines)), xticklabels=names, ylabel="GiB on each GPU",
             ylim=(0, 1.12 * bottom.max()))
    handles, words = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], words[::-1], loc="center left", bbox_to_anchor=(1, 0.5))
    return fig


@house_style
def timelines(fed: Mapping[str, Sequence[tuple[float, float]]]) -> Figure:
    """When a GPU works, one line for each way to feed it: its steps (begin, end) in seconds."""
    fig, axes = subplots(0.5 * len(fed) + 1.2)
    for place, (name, steps) in enumerate(fed.items()):
        axes.barh(place, steps[-1][1], height=0.5, color="white", edgecolor=GREY, hatch="///",
                  linewidth=0.5, label="waits for a batch" if place == 0 else None)
        axes.broken_barh([(begin, end - begin) for begin, end in steps], (place - 0.25, 0.5),
                         facecolor=BLUE, edgecolor="white",
                         label="computes a step" if place == 0 else None)
    finish(axes, grid="", xlabel="seconds", yticks=range(len(fed)), yticklabels=list(fed),
           ylim=(len(fed) - 0.5, -0.5), xlim=(0, None))
    return fig


def val_street() -> tuple[np.ndarray, Tensor, tuple[int, int]]:
    """An image of the drawn val split: its pixels, what the network sees (1, 3, h, w), its size."""
    experiment = demo_experiment(ROW)
    image, label = experiment.eval_set[STREET]
    return image, EvalTransform(experiment.config.resize)(image)[None], label.shape
