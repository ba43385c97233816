"""Pictures of lesson D: Fig. 3 of the paper, what a map holds, taps at work, Table 3, the price."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from deeplab.course.going_deeper.detail import cell_votes, enlarged_label, spread
from deeplab.data.catalog import get_dataset
from deeplab.data.colours import label_colours
from deeplab.data.labelset import LabelSet
from deeplab.figures.numbers import number_pieces
from deeplab.figures.plots import (BLUE, GREY, LINES, ORANGE, class_legend, finish,
                                   house_style, note, subplots)
from deeplab.model.backbone import stage_plan
from deeplab.model.cascade import cascade_plan

OPENING_IMAGE = 14  # of the drawn VOC's val split: a bus, a car, a person and a motorbike
GRIDS = ("(1, 1, 1)", "(1, 2, 1)", "(1, 2, 3)", "(1, 2, 4)", "(2, 2, 2)")  # of Table 3
LOOKS = dict(zip(GRIDS, zip(LINES, "osD^v"), strict=False))  # colour and marker of each


def block_plan(output_stride: int) -> list[tuple[int, int]]:
    """(pixels per cell, rate) of the paper's blocks 3 to 7 at the end of each.

    >>> block_plan(16)
    [(16, 1), (16, 2), (16, 4), (16, 8), (16, 16)]
    """
    pixels, found = 4, []
    for stride, rate in [*stage_plan(min(output_stride, 32)), *cascade_plan(output_stride, 3)]:
        pixels *= stride
        found.append((pixels, rate))
    return found[2:]


@house_style
def opening() -> Figure:
    """Fig. 3: a drawn street in the cells of blocks 3 to 7, strided on and with atrous rates."""
    label, label_set = enlarged_label(OPENING_IMAGE), get_dataset("voc")
    fig, grid = subplots(4.4, 2, 5)
    for row, name, output_stride in zip(grid, ("(a) strides", "(b) rates"), (256, 16), strict=True):
        for axes, block, (pixels, rate) in zip(row, range(3, 8), block_plan(output_stride),
                                               strict=True):
            inside = _cells_and_taps(axes, label, label_set, pixels, rate)
            axes.set_title(f"block {block}: {pixels} px\nrate {rate}, {inside} of 9 taps",
                           fontsize=10, loc="center")
        number_pieces(row[0], label, label_set)
        row[0].set_ylabel(name)
    class_legend(fig, [label], label_set)
    return fig


def _cells_and_taps(axes, label: np.ndarray, label_set: LabelSet, pixels: int, rate: int) -> int:
    """Each cell in the colour of its class, and the taps of a 3x3 kernel in the middle.

    Returns how many of the taps stand on the picture.
    """
    height, width = label.shape
    shown = spread(cell_votes(label, pixels), pixels, label.shape)
    axes.imshow(label_colours(shown, label_set))
    axes.set_xticks(range(pixels, width, pixels), minor=True)
    axes.set_yticks(range(pixels, height, pixels), minor=True)
    axes.grid(which="minor", color="white", linewidth=0.4 if pixels > 16 else 0.2)
    axes.tick_params(which="minor", length=0)
    middle = [(side // 2 // pixels + 0.5) * pixels for side in (height, width)]
    steps = pixels * rate * np.array([-1, 0, 1])
    rows, columns = np.meshgrid(middle[0] + steps, middle[1] + steps)
    axes.plot(columns.ravel(), rows.ravel(), "o", color="white", markeredgecolor="black",
              markersize=5, clip_on=True)
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=(), yticks=())
    return int(((0 <= rows) & (rows < height) & (0 <= columns) & (columns < width)).sum())


@house_style
def detail_lost(right: Mapping[int, float], reported: Mapping[int, float]) -> Figure:
    """Per cent by output stride: of the things, what cells hold here; the paper's mIoU, quoted."""
    fig, axes = subplots(2.8)
    names = [str(stride) for stride in right]
    axes.plot(names, list(right.values()), "o-", color=BLUE,
              label="here: pixels of things\nwhose cell says their class")
    axes.plot(names, [reported[stride] for stride in right], "D--", color="black",
              markerfacecolor="white", label="quoted: mIoU of Table 1,\n"
              "another thing on other data")
    finish(axes, ylim=(0, 102), xlabel="output stride, pixels per cell", ylabel="per cent")
    return fig


@house_style
def taps_used(used: Mapping[str, Sequence[float]], rates: Mapping[str, Sequence[int]]) -> Figure:
    """Per cent of the taps of each 3x3 kernel that lie on the map, by Multi-Grid factors.

    A value for each unit of blocks 4 to 7, in order; the numbers beside them are the rates.
    """
    fig, grid = subplots(1.25 * len(used) + 0.8, len(used), 1, sharex=True, squeeze=False)
    for axes, (name, values) in zip(grid[:, 0], used.items(), strict=True):
        places = np.arange(len(values)) + np.arange(len(values)) // 3
        axes.bar(places, values, color=LOOKS[name][0])
        for place, value, rate in zip(places, values, rates[name], strict=True):
            note(axes, f"{rate}", (place, value), 0, 2, ha="center", fontsize=9)
        axes.axhline(100 / 9, color=GREY, linestyle=":", linewidth=1)
        said = f"Multi-Grid {name}" + "; numbers: rates; dotted: one tap of nine" * (
            axes is grid[0, 0])
        axes.set(ylim=(0, 125), yticks=(0, 50, 100), ylabel="taps, %", title=said)
    axes.set_xticks(np.arange(1, 16, 4), [f"block {block}" for block in range(4, 8)])
    return fig


@house_style
def table_3(header: Sequence[str], lines: Sequence[Sequence[str]]) -> Figure:
    """A quoted grid of mIoU by block, one line for each Multi-Grid."""
    fig, axes = subplots(3.2)
    for name, *scores in lines:
        colour, marker = LOOKS[name.removeprefix("MG ")]
        axes.plot(header[1:], [float(score) for score in scores], marker=marker, color=colour,
                  label=name)
    finish(axes, ylabel="mIoU, per cent (quoted)", xlabel="last block of the cascade")
    return fig


@house_style
def price_bars(parameters: Mapping[str, Mapping[str, float]],
               macs: Mapping[str, Mapping[str, float]]) -> Figure:
    """Millions of parameters and billions of multiply-adds by network and part."""
    fig, (left, right) = subplots(3.0, 1, 2, sharey=True)
    for axes, values, what in ((left, parameters, "millions of parameters"),
                               (right, macs, "billions of multiply-adds, 513 x 513 pixels")):
        start = np.zeros(len(values))
        for part, colour in (("backbone", GREY), ("cascade", BLUE), ("pyramid", ORANGE)):
            widths = np.array([parts.get(part, 0.0) for parts in values.values()])
            axes.barh(list(values), widths, left=start, color=colour, label=part)
            start += widths
        for row, total in enumerate(start):
            note(axes, f"{total:.0f}", (total, row), 4, 0, va="center")
        axes.set(xlabel=what, xlim=(0, 1.15 * start.max()))
    left.invert_yaxis()
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return fig
