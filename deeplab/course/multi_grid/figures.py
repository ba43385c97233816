"""Pictures of lesson 4: what stacked kernels look at, and the grid that equal rates leave."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from deeplab.data.catalog import SegmentationDataset
from deeplab.figures.plots import BLUE, LINES, figure, house_style, row_of
from deeplab.miniature.twins import miniature
from deeplab.model.atrous import footprint

OPENING_IMAGE = 3  # of the drawn VOC's val split: two boats and a bird
OPENING_RATES = ((1, 1, 1), (4, 4, 4), (1, 2, 4))
SEEN = ListedColormap(("#ffffff", BLUE))  # a cell that is never looked at, and one that is


def opening() -> Figure:
    """The outlines of a drawn harbour, averaged three times at several triples of rates."""
    dataset = SegmentationDataset("voc", miniature("voc"), "val")
    outlines = torch.from_numpy(dataset[OPENING_IMAGE][1] == 255).float()
    return averages(outlines[:, 20:-20], OPENING_RATES)


def averaged(values: Tensor, rates: Sequence[int]) -> Tensor:
    """A map (h, w) after one 3x3 average per rate, each with its taps that far apart."""
    kernel = torch.full((1, 1, 3, 3), 1 / 9)
    result = values[None, None]
    for rate in rates:
        result = F.conv2d(result, kernel, padding=rate, dilation=rate)
    return result[0, 0]


def averages(values: Tensor, triples: Sequence[tuple[int, ...]]) -> Figure:
    """A map (h, w), and what is left of it after three averages at each triple of rates.

    All panels have one scale of colours, up to the largest average; the map itself exceeds it.
    """
    height, width = values.shape
    maps = {f"rates {rates}": averaged(values, rates).numpy() for rates in triples}
    largest = max(float(one.max()) for one in maps.values())
    fig = row_of({"a map": values.numpy(), **maps}, cmap="cividis", clim=(0, largest),
                 height=8.2 / (1 + len(triples)) * height / width + 0.6)
    fig.colorbar(fig.axes[0].images[0], ax=fig.axes, label="mean", shrink=0.9, extend="max")
    return fig


@house_style
def footprints(triples: Sequence[tuple[int, ...]]) -> Figure:
    """The cells that stacked 3x3 kernels look at, at one scale; white cells are never seen."""
    sides = [footprint(rates).shape[0] for rates in triples]
    fig = figure(9 * max(sides) / sum(sides) + 1.0)
    for ax, rates in zip(fig.subplots(1, len(triples), width_ratios=sides), triples, strict=True):
        paths = footprint(rates)
        seen = (paths > 0).numpy()
        ax.pcolormesh(seen, cmap=SEEN, vmin=0, vmax=1, edgecolors="#c0c0c0", linewidth=0.5)
        ax.plot(*[len(seen) / 2] * 2, "o", color="white", markersize=4)
        ax.set(aspect="equal", xticks=(), yticks=(), xlabel=f"{len(seen)} cells wide")
        ax.set_title(f"{rates}\n{100 * (1 - seen.mean()):.0f} % unseen", loc="center")
    return fig


@house_style
def path_profiles(chains: Mapping[str, tuple[int, ...]]) -> Figure:
    """How the paths of each chain of rates spread along one axis, in per cent of its paths."""
    fig = figure(1.1 * len(chains) + 0.7)
    reach = max(sum(rates) for rates in chains.values())
    axes = np.atleast_1d(fig.subplots(len(chains), 1, sharex=True, sharey=True))
    for ax, (name, rates), colour in zip(axes, chains.items(), LINES, strict=False):
        share = path_shares(rates)
        middle = len(share) // 2
        ax.bar(np.arange(-middle, middle + 1), 100 * share, width=0.8, color=colour)
        ax.set_title(f"{name}: {len(share)} cells wide, {(share == 0).sum()} of them unseen")
        ax.set(xlim=(-reach - 1, reach + 1), ylabel="per cent")
    axes[-1].set_xlabel("cells from the output cell")
    return fig


def path_shares(rates: tuple[int, ...]) -> np.ndarray:
    """The share of paths that start at each offset along one axis; sums to 1.

    Paths along the two axes are independent, so the middle row of a footprint says it all.
    """
    row = footprint(rates)[sum(rates)].double().numpy()
    return row / row.sum()


@house_style
def gradients(maps: Mapping[str, Tensor]) -> Figure:
    """How strongly one output cell depends on each input cell, (h, w) each, by name.

    Each map is shown as a share of its own largest value; white cells are exactly 0.
    """
    fig = figure(8 / len(maps) + 0.4)
    axes = np.atleast_1d(fig.subplots(1, len(maps)))
    for ax, (name, values) in zip(axes, maps.items(), strict=True):
        share = np.ma.masked_equal(100 * values.numpy() / float(values.max()), 0)
        shown = ax.pcolormesh(share, cmap="viridis_r", vmin=0, vmax=100, edgecolors="#dddddd",
                              linewidth=0.3)
        ax.set(aspect="equal", xticks=(), yticks=())
        ax.set_title(name, loc="center")
    fig.colorbar(shown, ax=axes, shrink=0.8, label="gradient, per cent of the largest;\nwhite: 0")
    return fig
