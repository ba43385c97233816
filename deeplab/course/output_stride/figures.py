"""Pictures of lesson 3: what a coarse map loses, why rates double, what a fine map costs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from deeplab.course.output_stride.resolution import best_prediction, share_right
from deeplab.data.catalog import SegmentationDataset
from deeplab.data.labelset import LabelSet
from deeplab.figures.plots import (BLUE, GREEN, GREY, LINES, ORANGE, finish, house_style, note,
                                   side_by_side, subplots)
from deeplab.miniature.twins import miniature
from deeplab.model.backbone import stage_plan
from deeplab.planning.memory import GIB
from deeplab.support.void import IGNORE_INDEX

OPENING_IMAGE = 14  # of the drawn VOC's val split: a bicycle, two persons and a car


def opening() -> Figure:
    """One drawn street, and what the shares of classes in cells of 8, 16, 32 pixels say of it."""
    dataset = SegmentationDataset("voc", miniature("voc"), "val")
    return best_predictions(*dataset[OPENING_IMAGE], dataset.label_set)


def best_predictions(image: np.ndarray, label: np.ndarray, label_set: LabelSet, *,
                     strides: Sequence[int] = (8, 16, 32)) -> Figure:
    """An image, its label, and the class of the largest upsampled share at each output stride."""
    best = {}
    for stride in strides:
        prediction = best_prediction(label, output_stride=stride,
                                     num_classes=label_set.num_classes)
        right = share_right(prediction, label, (label != 0) & (label != IGNORE_INDEX))
        best[f"output stride {stride}\n{right:.0f} % of things right"] = prediction
    fig = side_by_side({"image": image, "label": label, **best}, label_set)
    height, width = label.shape
    for ax, stride in zip(fig.axes[2:], strides, strict=True):
        for x in range(stride, width, stride):
            ax.axvline(x - 0.5, color="white", linewidth=0.3)
        for y in range(stride, height, stride):
            ax.axhline(y - 0.5, color="white", linewidth=0.3)
    return fig


@house_style
def taps_in_pixels(*, strides: Sequence[int] = (32, 16, 8), reach: int = 56) -> Figure:
    """The three taps of a conv5 kernel along one axis, in input pixels from its centre.

    For each stride: its cells as small ticks, the taps at the rate of `stage_plan` as dots,
    and hollow where they would be had the rate stayed 1.
    """
    fig, axes = subplots(2.6)
    for row, stride in enumerate(strides):
        rate = stage_plan(stride)[-1][1]
        cells = np.arange(-(reach // stride), reach // stride + 1) * stride
        axes.plot(cells, np.full(len(cells), row), "|", color=GREY, markersize=14)
        if rate > 1:
            axes.plot([-stride, stride], [row, row], "o", markerfacecolor="white",
                      color=ORANGE, label="at rate 1" if row == 1 else None)
        axes.plot([-stride * rate, 0, stride * rate], [row] * 3, "o", color=BLUE, markersize=10,
                  label="taps of the kernel" if row == 0 else None)
    finish(axes, yticks=range(len(strides)), xticks=range(-48, 49, 16), grid="",
           ylim=(len(strides) - 0.5, -0.5), xlim=(-reach - 4, reach + 4),
           xlabel="input pixels from the kernel's centre",
           yticklabels=[f"output stride {stride}, rate {stage_plan(stride)[-1][1]}"
                        for stride in strides])
    return fig


@house_style
def shared_cells(maps: Mapping[int, Tensor], *, channel: int) -> Figure:
    """One channel of the same layer at several output strides, coarsest first.

    `maps` holds, by output stride, a feature map (1, C, h, w). Dots mark the cells that the
    finer maps share with the coarsest. Cells are drawn around the pixels where their kernels
    stand, the same in all maps, so that shared cells have one place on the page.
    """
    coarsest = max(maps)
    planes = {stride: values[0, channel].numpy() for stride, values in maps.items()}
    low, high = planes[min(maps)].min(), planes[min(maps)].max()
    height, width = planes[coarsest].shape
    fig, grid = subplots(7.6 / len(maps) * height / width + 0.8, 1, len(maps))
    for ax, (stride, plane) in zip(grid, planes.items(), strict=True):
        rows, columns = plane.shape
        half = stride / 2
        shown = ax.imshow(plane, cmap="cividis", vmin=low, vmax=high, extent=(
            -half, columns * stride - half, rows * stride - half, -half))
        places = np.mgrid[:height, :width].reshape(2, -1) * coarsest
        ax.plot(places[1], places[0], "o", color="white", markeredgecolor="black", markersize=5)
        ax.set(xlim=(-coarsest / 2, width * coarsest), ylim=(height * coarsest, -coarsest / 2))
        ax.set_title(f"output stride {stride}:\n{rows} x {columns} cells", loc="center")
        ax.set_axis_off()
    fig.colorbar(shown, ax=grid, label="value", shrink=0.8)
    return fig


@house_style
def price_bars(macs: Mapping[int, Mapping[str, int]], memory: Mapping[int, int]) -> Figure:
    """Multiply-adds of one crop by part, and bytes of the maps of a step, by output stride."""
    fig, (left, right) = subplots(3.2, 1, 2)
    names = [str(stride) for stride in macs]
    start = np.zeros(len(macs))
    for part, words, colour in (("backbone", "backbone", BLUE), ("aspp", "pyramid", ORANGE),
                                ("aux_classifier", "auxiliary head", GREEN)):
        values = np.array([macs[stride][part] for stride in macs]) / 1e9
        left.barh(names, values, left=start, color=colour, label=words)
        start += values
    for row, total in enumerate(start):
        note(left, f"{total:.0f}", (total, row), 4, 0, va="center")
    bars = right.barh(names, [memory[int(name)] / GIB for name in names], color=GREY)
    right.bar_label(bars, fmt="%.0f", padding=4)
    left.set(title="One 512 x 512 crop", xlabel="billions of multiply-adds",
             ylabel="output stride", xlim=(0, 1.12 * start.max()))
    left.legend(loc="upper right")
    right.set(title="A training step on 16 crops", xlabel="memory of the maps, GiB",
              xlim=(0, 1.15 * max(memory.values()) / GIB))
    right.locator_params(axis="x", nbins=5, integer=True)
    for ax in (left, right):
        ax.invert_yaxis()
    return fig


@house_style
def right_by_width(shares: Mapping[str, Sequence[float]], widths: Sequence[str]) -> Figure:
    """Per cent of pixels right for parts of things of growing width, one line per network."""
    fig, axes = subplots(3.0)
    for (name, values), colour, marker in zip(shares.items(), LINES, "osD^v", strict=False):
        axes.plot(widths, values, marker=marker, color=colour, label=name)
    finish(axes, xlabel="width of the part, pixels of the drawn image",
           ylabel="pixels right, per cent", ylim=(0, 102))
    return fig
