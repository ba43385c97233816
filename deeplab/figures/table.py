"""Pictures over all rows of one profile: classes, learning, cost.

`entries` are what `deeplab.report.results.collect` returns, with only the results that count.
Several seeds of a row are drawn as their mean. Colours stand for label sets everywhere.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from deeplab.figures.plots import (BLUE, GREEN, GREY, ORANGE, PURPLE, RED, figure, house_style,
                                   note, subplots)
from deeplab.support.plain import figure_text

Entries = Sequence[Mapping[str, Any]]
COLOURS = {"voc": BLUE, "ade20k": ORANGE, "cityscapes": GREEN, "context": RED,
           "context59": PURPLE}
DEPTH_LOOKS = {"resnet50": ("o", BLUE, "R50"), "resnet101": ("s", ORANGE, "R101")}
ACROSS = 4  # training curves beside each other
CLASSES_PER_PANEL = 30  # of a heat map


def row_means(entries: Entries, column: str = "miou") -> dict[str, float]:
    """Mean of a column over the seeds of each row, in the order of the table."""
    return pd.DataFrame(entries).groupby("row_id", sort=False)[column].mean().to_dict()


@house_style
def class_heat_map(entries: Entries) -> Figure:
    """IoU of every class that occurs in the rows of one label set, best class first."""
    by_row = pd.DataFrame([entry["class_iou"] for entry in entries], dtype=float).groupby(
        [entry["row_id"] for entry in entries], sort=False).mean()
    table = by_row.T.dropna(how="all")  # classes down, rows across
    table = table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    panels = math.ceil(len(table) / CLASSES_PER_PANEL)
    height = math.ceil(len(table) / panels)
    fig = figure(0.24 * height + 1.3)
    for number, axes in enumerate(fig.subplots(1, panels, squeeze=False)[0]):
        _heat(axes, table.iloc[number * height:(number + 1) * height])
        axes.set_ylim(height, 0)
    fig.colorbar(axes.collections[0], ax=fig.axes, label="IoU (per cent)", shrink=0.6, pad=0.01)
    return fig


def _heat(axes, table: pd.DataFrame) -> None:
    """One panel of a heat map with a number in every cell."""
    import seaborn  # here, for the pictures of one run need it not
    short = [row_id.partition("_")[2].replace("_", " ").upper() for row_id in table]
    seaborn.heatmap(table, ax=axes, cmap="cividis", vmin=0, vmax=100, annot=True, fmt=".0f",
                    cbar=False, xticklabels=short, yticklabels=[*map(figure_text, table.index)],
                    annot_kws={"in_layout": False, "size": 11})  # in_layout: measuring is slow
    for line, column in np.argwhere(table.isna().to_numpy()):
        axes.text(column + 0.5, line + 0.5, "–", ha="center", va="center", in_layout=False)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.tick_params(axis="x", rotation=90)
    axes.tick_params(axis="y", rotation=0)


@house_style
def training_curves(logs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Loss and mIoU over the steps of every row, four rows beside each other, on equal scales."""
    losses = {row_id: _points(log, "loss") for row_id, log in logs.items()}
    scores = {row_id: _points(log, "miou") for row_id, log in logs.items()}
    tops = [1.1 * max((value for points in series.values() for _, value in points), default=1)
            for series in (losses, scores)]
    lines = math.ceil(len(logs) / ACROSS)
    fig, grid = subplots(1.75 * lines + 0.7, lines, ACROSS, squeeze=False)
    for axes in grid.flat[len(logs):]:
        axes.set_axis_off()
    for place, (row_id, axes) in enumerate(zip(logs, grid.flat, strict=False)):
        right = axes.twinx()
        axes.plot(*zip(*losses[row_id], strict=True), color=GREY, linewidth=1.5)
        if scores[row_id]:  # none where no evaluation image is labelled
            right.plot(*zip(*scores[row_id], strict=True), color=BLUE, marker="o", markersize=5)
        axes.set(title=row_id, ylim=(0, tops[0]))
        right.set(ylim=(0, tops[1]))
        axes.tick_params(axis="y", labelleft=place % ACROSS == 0)
        is_last = place % ACROSS == ACROSS - 1 or place == len(logs) - 1
        right.tick_params(axis="y", labelcolor=BLUE, labelright=is_last, right=is_last)
    fig.supxlabel("step", fontsize=11)
    fig.legend(loc="outside upper center", ncols=2, handles=[
        Line2D([], [], color=GREY, label="loss of a batch (left scale)"),
        Line2D([], [], color=BLUE, marker="o", label="mIoU, per cent (right scale)")])
    return fig


def _points(log: Sequence[Mapping[str, Any]], key: str) -> list[tuple[int, float]]:
    """(step, value) of every line of a log that has `key`."""
    return [(line["step"], line[key]) for line in log if line.get(key) is not None]


@house_style
def cost_plot(entries: Entries) -> Figure:
    """mIoU against multiply-adds: what output stride 8 and the deeper network buy, and cost."""
    scores, costs = row_means(entries), row_means(entries, "gmacs")
    facts = {entry["row_id"]: entry for entry in entries}
    fig, ends = figure(4.6), {}
    axes = fig.subplots()
    for dataset in dict.fromkeys(entry["dataset"] for entry in entries):
        rows = sorted((row_id for row_id in scores if facts[row_id]["dataset"] == dataset),
                      key=costs.get)
        colour = COLOURS.get(dataset, GREY)
        axes.plot([costs[row] for row in rows], [scores[row] for row in rows], color=colour,
                  linewidth=1, zorder=1)
        for row in rows:
            marker = DEPTH_LOOKS[facts[row]["backbone"]][0]
            is_fine = facts[row]["output_stride"] == 8
            axes.plot(costs[row], scores[row], marker, color=colour, markersize=9,
                      markerfacecolor=colour if is_fine else "white", markeredgewidth=2)
        ends[dataset] = (costs[rows[-1]], scores[rows[-1]])
    axes.set(xscale="log", xlabel="GMACs of one crop, in eval mode (logarithmic)",
             ylabel="mIoU (per cent)")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y")
    axes.margins(x=0.18)
    _name_ends(axes, ends)
    fig.legend(loc="outside lower center", ncols=4, handles=[
        Line2D([], [], marker=marker, color="black", linestyle="", markersize=9,
               markerfacecolor=face, label=f"{text} {stride}")
        for marker, _, text in DEPTH_LOOKS.values()
        for stride, face in (("D16", "white"), ("D8", "black"))])
    return fig


def _name_ends(axes, ends: Mapping[str, tuple[float, float]]) -> None:
    """Write each label set's name to the right of its line, none over another."""
    bottom, top = axes.get_ylim()
    lowest = -math.inf
    for dataset, (cost, score) in sorted(ends.items(), key=lambda item: item[1][1]):
        lowest = max(score, lowest + 0.06 * (top - bottom))
        note(axes, dataset, (cost, lowest), 10, 0, va="center", color=COLOURS.get(dataset, GREY),
             bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
