"""Pictures of lesson 2: nine weights at growing rates, Eq. (1) on a line, and gridding."""

from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from deeplab.figures.plots import BLUE, GREY, LINES, figure, house_style, row_of
from deeplab.miniature.scenes import Painter
from deeplab.model.atrous import atrous_conv1d, field_of_view, footprint

PICTURE_SIZE = (384, 512)  # pixels, height and width: that of a usual VOC photograph
PATHS = ListedColormap(matplotlib.colormaps["Blues"](np.linspace(0.3, 0.95, 64)))
AIRFIELD, FARM = 4, 2  # scenes of the drawn VOC: a person under aeroplanes; five animals


def drawn_picture(number: int = FARM) -> np.ndarray:
    """A drawn scene at the size of a photograph, uint8 (384, 512, 3); always the same one."""
    painter = Painter("voc")
    painter.height, painter.width = PICTURE_SIZE
    return painter.picture(number, np.random.default_rng([7, number]))[0]


def mean_of_nine(image: np.ndarray, rate: int) -> np.ndarray:
    """The image (H, W, 3) under a 3x3 kernel of nine equal weights; outside it is repeated."""
    planes = torch.from_numpy(image.transpose(2, 0, 1)).float()[:, None]
    padded = F.pad(planes, [rate] * 4, mode="replicate")
    mean = F.conv2d(padded, torch.full((1, 1, 3, 3), 1 / 9), dilation=rate)
    return mean[:, 0].numpy().transpose(1, 2, 0).round().astype(np.uint8)


def opening(rates: Sequence[int] = (1, 16, 64)) -> Figure:
    """One picture under the same nine weights at several rates."""
    image = drawn_picture(AIRFIELD)
    return row_of({"picture": image, **{f"mean of nine, rate {rate}": mean_of_nine(image, rate)
                                        for rate in rates}}, height=2.1)


@house_style
def on_a_line(x: Tensor, w: Tensor, *, rates: Sequence[int] = (1, 2, 3)) -> Figure:
    """Eq. (1) at several rates: samples (length,) below, outputs above, a line for each tap."""
    fig = figure(2.5)
    for ax, rate in zip(fig.subplots(1, len(rates)), rates, strict=True):
        y = atrous_conv1d(x, w, rate)
        for i in range(len(y)):
            for k in range(len(w)):
                ax.plot([i + rate * k, i + rate * (len(w) // 2)], [0, 1], "-", linewidth=1.5,
                        color=LINES[i % len(LINES)] if i == 0 else "#cccccc",
                        zorder=2 if i == 0 else 1)
        middle = np.arange(len(y)) + rate * (len(w) // 2)
        for places, height, values in ((range(len(x)), 0, x), (middle, 1, y)):
            for place, value in zip(places, values, strict=True):
                ax.text(place, height, f"{value:g}", ha="center", va="center", zorder=3,
                        bbox={"boxstyle": "round,pad=0.35", "facecolor": "white",
                              "edgecolor": BLUE if height else GREY})
        ax.set(xlim=(-0.7, len(x) - 0.3), ylim=(-0.3, 1.3), xticks=[], yticks=[0, 1],
               yticklabels=["x", "y"])
        outputs = f"{len(y)} output{'s' * (len(y) > 1)}"
        ax.set_title(f"rate {rate}: {outputs}, view {field_of_view(len(w), rate)}", loc="center")
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
    return fig


def boards(size: int = 14, *, rates: Sequence[int] = (1, 2, 3, 4)) -> Figure:
    """A checkerboard of single cells, and its mean of nine at several rates, interior only."""
    board = (np.indices((size, size)).sum(0) % 2).astype(np.float32)
    shown, tiles = {"checkerboard": board}, torch.from_numpy(np.tile(board, (3, 3)))[None, None]
    for rate in rates:
        mean = F.conv2d(tiles, torch.full((1, 1, 3, 3), 1 / 9), padding=rate, dilation=rate)
        mean = mean[0, 0, size:2 * size, size:2 * size].numpy()
        shown[f"rate {rate}: {100 * np.ptp(mean):.0f} % left"] = mean
    return row_of(shown, height=2.1, cmap="gray", clim=(0, 1))


@house_style
def footprints(stacks: Sequence[tuple[int, ...]]) -> Figure:
    """The cells that one output of stacked 3x3 kernels looks at, one panel per stack of rates.

    Darker cells are reached over more paths; white ones are never looked at. All panels have
    the scale of the widest, and one scale of colours: paths as a share of the middle cell's.
    """
    paths = [footprint(rates).numpy() for rates in stacks]
    reach = max(len(one) for one in paths) / 2
    fig = figure(9 / len(stacks) + 0.5)
    for ax, rates, one in zip(fig.subplots(1, len(stacks)), stacks, paths, strict=True):
        half = len(one) / 2
        share = np.ma.masked_equal(100 * one / one.max(), 0)
        shown = ax.imshow(share, cmap=PATHS, vmin=0, vmax=100, extent=(-half, half, half, -half))
        ax.set(xlim=(-reach, reach), ylim=(reach, -reach), xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
        ax.set_title(f"rates {', '.join(map(str, rates))}:\n{(one > 0).sum()} of {one.size} cells",
                     loc="center")
    fig.colorbar(shown, ax=fig.axes, shrink=0.8, label="paths, per cent of the\nmiddle cell's; "
                 "white: none")
    return fig
