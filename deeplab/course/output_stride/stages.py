"""Drawings for the primer before lesson 3: a ResNet's stages, its blocks, and upsampling."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from deeplab.figures.plots import BLUE, GREEN, GREY, ORANGE, finish, house_style, subplots
from deeplab.model.backbone import stage_plan

STAGES = (("stem", "", "stem or conv1", 64, 1), ("conv2", "block1", "layer1", 256, 3),
          ("conv3", "block2", "layer2", 512, 4), ("conv4", "block3", "layer3", 1024, 6),
          ("conv5", "block4", "layer4", 2048, 3))  # here, paper, weights, channels, blocks
PALE = "#cfe3f1"
STEM = 4  # pixels per cell after the stem


@house_style
def stages(*, output_stride: int = 32) -> Figure:
    """The five parts of a ResNet-50: maps as squares, names here, in the paper, in weight files.

    The side of a square falls by a step with each halving of the map.
    """
    fig, axes = subplots(3.2)
    cell, steps = STEM, [(1, 1), *stage_plan(output_stride)]
    for place, ((name, paper, weights, channels, blocks), (stride, rate)) in enumerate(
            zip(STAGES, steps, strict=True)):
        cell *= stride
        side = 1.0 - 0.15 * np.log2(cell / STEM)
        colour = GREY if name == "stem" else BLUE
        axes.add_patch(Rectangle((place - side / 2.4, -side / 2), side / 1.2, side,
                                 facecolor=colour, alpha=0.35, edgecolor="black"))
        axes.text(place, 0, f"{channels}\nchannels", ha="center", va="center")
        work = "2 strides" if name == "stem" else f"{blocks} blocks\nstride {stride}, rate {rate}"
        axes.text(place, 0.58, f"{name}\n{work}", ha="center", va="bottom")
        axes.text(place, -0.58, f"{cell} pixels per cell\npaper: {paper or 'not named'}\n"
                  f"weights: {weights}", ha="center", va="top")
    axes.set(xlim=(-0.6, 4.6), ylim=(-1.15, 1.15))
    axes.set_axis_off()
    return fig


@house_style
def blocks() -> Figure:
    """A block in the middle of a stage, and the first of a stage with a stride."""
    fig, grid = subplots(3.0, 1, 2)
    kinds = (("a block within a stage", "unchanged", "3x3, rate\nof the stage"),
             ("the first block of a stage", "1x1, with the stride",
              "3x3, stride,\nrate of the\nstage before"))
    for axes, (title, shortcut, middle) in zip(grid, kinds, strict=True):
        for place, text in enumerate(("1x1, narrow", middle, "1x1, wide")):
            axes.add_patch(Rectangle((place - 0.46, -0.3), 0.92, 0.6, facecolor=PALE))
            axes.text(place, 0, text, ha="center", va="center", fontsize=9)
        axes.add_patch(FancyArrowPatch((-0.8, 0), (3.2, 0), arrowstyle="->", mutation_scale=8,
                                       color=GREY, zorder=0))
        axes.add_patch(FancyArrowPatch((-0.7, 0.05), (2.75, 0.08), arrowstyle="->", color=ORANGE,
                                       connectionstyle="arc3,rad=-0.35", mutation_scale=8))
        axes.text(1, 0.82, f"shortcut: {shortcut}", ha="center")
        axes.plot(2.75, 0, "o", color="white", markeredgecolor="black", markersize=15)
        axes.text(2.75, -0.01, "+", ha="center", va="center", fontsize=13)
        axes.text(2.75, -0.2, "sum", ha="center", va="top")
        axes.set(xlim=(-0.9, 3.3), ylim=(-0.5, 1.1), title=title)
        axes.set_axis_off()
    return fig


def upsampled_line(scores: np.ndarray, factor: int) -> np.ndarray:
    """Scores (classes, cells) at `factor` times as many places, linearly in between.

    A cell's score stands at the middle of its pixels; beyond the outermost middles the score
    stays what it is, as in bilinear interpolation with align_corners=False.
    """
    cells = scores.shape[1]
    middles = (np.arange(cells) + 0.5) * factor - 0.5
    places = np.arange(cells * factor)
    return np.stack([np.interp(places, middles, one) for one in scores])


@house_style
def upsampling(scores: np.ndarray, *, factor: int = 16) -> Figure:
    """Two classes' scores (2, cells) along a line, upsampled, and which is larger where."""
    fig, axes = subplots(2.6)
    places = np.arange(scores.shape[1] * factor)
    middles = (np.arange(scores.shape[1]) + 0.5) * factor - 0.5
    fine = upsampled_line(scores, factor)
    for line, cells, colour, name in zip(fine, scores, (BLUE, GREEN), ("cat", "wall"), strict=True):
        axes.plot(places, line, color=colour, label=f"score of {name}")
        axes.plot(middles, cells, "o", color=colour)
    low = min(scores.min(), 0) - 0.6
    for height, winner in ((low, fine.argmax(0)), (low - 0.6, scores.argmax(0).repeat(factor))):
        for index, colour in enumerate((BLUE, GREEN)):
            where = places[winner == index]
            axes.plot(where, np.full(len(where), height), "s", color=colour, markersize=3)
    finish(axes, xlabel="pixel", ylabel="score",
           yticks=[low - 0.6, low, 0, 2], yticklabels=["class, of the cell", "class, of the pixel",
                                                       "0", "2"])
    return fig
