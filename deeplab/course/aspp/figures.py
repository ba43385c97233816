"""Pictures of lesson 5: the pyramid as boxes, taps that leave the map, what pyramids cost."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from deeplab.figures.plots import (BLUE, GREEN, GREY, LINES, ORANGE, PINK, RED, SKY, figure,
                                   finish, house_style, note, picture, subplots)
from deeplab.miniature.scenes import Painter
from deeplab.model.atrous import taps_inside
from deeplab.table.row import BASE_RATES

WORDS = {"point": "1x1", "atrous": "3x3, three rates", "image_pooling": "image level",
         "project": "projection"}  # the names of ASPP's parts in the program, in words
SCENE = 1  # of the drawn VOC: a station, with a bicycle in front of a train
COUNTS = (1, 2, 4, 6, 9)  # taps that can be inside a square map
COUNT_COLOURS = ListedColormap(("#fde725", "#7ad151", "#22a884", "#2a788e", "#443983"))


def drawn_crop(side: int = 512) -> np.ndarray:
    """A drawn street as large as a training crop of the recipe: uint8 (side, side, 3)."""
    painter = Painter("voc")
    painter.height = painter.width = side
    return painter.picture(SCENE, np.random.default_rng(5))[0]


@house_style
def opening(rates: Sequence[int] = BASE_RATES, *, output_stride: int = 16) -> Figure:
    """The taps of the middle cell of a crop at each rate, inside the crop and outside."""
    image = drawn_crop()
    side, middle = len(image), len(image) // output_stride // 2
    fig = figure(3.6)
    for ax, rate in zip(fig.subplots(1, len(rates)), rates, strict=True):
        picture(ax, image)
        for line in range(0, side + 1, output_stride):
            ax.plot([line, line], [0, side], [0, side], [line, line], color="white",
                    linewidth=0.25)
        rows, columns = np.mgrid[-1:2, -1:2] * rate * output_stride + (middle + 0.5) * output_stride
        inside = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
        for where, face in ((inside, ORANGE), (~inside, "none")):
            ax.plot(columns[where], rows[where], "o", markerfacecolor=face, markersize=8,
                    markeredgecolor="black" if face != "none" else RED, markeredgewidth=1.5)
        margin = max(BASE_RATES) * output_stride - side // 2 + 2 * output_stride
        ax.set(xlim=(-margin, side + margin), ylim=(side + margin, -margin))
        ax.set_title(f"rate {rate}: {inside.sum()} of 9 taps inside", loc="center")
    return fig


@house_style
def diagram(rates: Sequence[int] = BASE_RATES, *, channels: int = 512) -> Figure:
    """ASPP as boxes: one map, five branches side by side, their concatenation, one map again."""
    branches = [("1x1", SKY), *((f"3x3, rate {rate}", ORANGE) for rate in rates),
                ("mean of the map, 1x1,\nspread over all cells", GREEN)]
    fig, axes = subplots(3.4)
    rows = np.linspace(4, 0, len(branches))

    def box(x: float, y: float, width: float, height: float, text: str, colour: str) -> None:
        axes.add_patch(FancyBboxPatch((x, y - height / 2), width, height, facecolor=colour,
                                      edgecolor="black", boxstyle="round,pad=0.02"))
        axes.text(x + width / 2, y, text, ha="center", va="center")

    def arrow(start: tuple[float, float], end: tuple[float, float]) -> None:
        axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "black"})

    box(0, 2, 1.3, 1.2, "conv5\n2048 channels", "white")
    for (text, colour), row in zip(branches, rows, strict=True):
        box(2.1, row, 2.3, 0.75, text, colour)
        arrow((1.35, 2), (2.05, row))
        arrow((4.45, row), (5.05, row))
        axes.text(4.72, row + 0.1, f"{channels}", ha="center", va="bottom")
    box(5.1, 2, 1.35, 4.8, f"side by side\nin channels:\n{len(branches)} · {channels}\n"
        f"= {len(branches) * channels}", "white")
    arrow((6.5, 2), (6.9, 2))
    box(6.95, 2, 1.5, 1.2, f"projection 3x3\n{channels} channels", PINK)
    axes.set(xlim=(-0.1, 8.6), ylim=(-0.6, 4.6))
    axes.set_axis_off()
    return fig


@house_style
def tap_maps(side: int, rates: Sequence[int]) -> Figure:
    """How many taps fall inside a map of side x side cells, at every position, per rate."""
    fig, axes = subplots(3.4, 1, len(rates))
    edges = [0.5, *(np.array(COUNTS[:-1]) + np.array(COUNTS[1:])) / 2, 9.5]
    for ax, rate in zip(axes, rates, strict=True):
        taps = taps_inside(side, side, rate=rate).numpy()
        picture(ax, taps, f"rate {rate}: all nine at {100 * (taps == 9).mean():.0f} %")
        ax.images[0].set(cmap=COUNT_COLOURS, norm=BoundaryNorm(edges, len(COUNTS)))
    bar = fig.colorbar(axes[0].images[0], ax=axes, ticks=COUNTS, shrink=0.8, spacing="uniform")
    bar.set_label("taps inside")
    return fig


@house_style
def valid_taps(shares: Mapping[int, Mapping[int, float]], *, side: int) -> Figure:
    """The paper's Fig. 4: share of positions with so many taps inside, against the rate.

    `shares[rate][count]` is in [0, 1]. The paper draws 1, 4 and 9; 2 and 6 are dashed here.
    Dotted are ASPP's rates at output stride 8, where they are doubled (Sec. 3.3).
    """
    fig, axes = subplots(3.6)
    styles = {9: (BLUE, "-"), 6: (SKY, "--"), 4: (ORANGE, "-"), 2: (GREEN, "--"), 1: (RED, "-")}
    for count, (colour, line) in styles.items():
        values = [shares[rate].get(count, 0) for rate in shares]
        axes.plot(list(shares), values, line, color=colour,
                  label=f"{count} tap{'s' * (count > 1)} inside")
    doubled = [2 * rate for rate in BASE_RATES]
    axes.vlines(doubled, 0, 1, color=GREY, linewidth=1.5, linestyle=":",
                label=f"rates {', '.join(map(str, doubled))}")
    finish(axes, xlabel=f"atrous rate on a map of {side} x {side} cells", ylim=(0, 1.02),
           ylabel="share of positions", xlim=(1, max(shares)), grid="")
    return fig


@house_style
def parameter_bars(counts: Mapping[str, Mapping[str, int]]) -> Figure:
    """Parameters of several ASPPs, (name, part, number), stacked by part."""
    fig, axes = subplots(2.4)
    names, start = list(counts), np.zeros(len(counts))
    for part, colour in zip(next(iter(counts.values())), LINES, strict=False):
        values = np.array([counts[name][part] for name in names]) / 1e6
        axes.barh(names, values, left=start, color=colour, edgecolor="white",
                  label=WORDS[part])
        start += values
    for row, total in enumerate(start):
        note(axes, f"{total:.1f}", (total, row), 4, 0, va="center")
    axes.invert_yaxis()
    finish(axes, xlabel="millions of parameters", xlim=(0, 1.1 * start.max()), grid="")
    return fig
