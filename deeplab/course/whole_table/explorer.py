"""The table explorer: published mIoU of the 16 rows against what they cost.

A panel per label set, a line of panels per kind of cost; filled marks are output stride 8. All
panels are equally many points of mIoU high, so that slopes can be compared, levels cannot.
`draw` is a pure function of what is chosen. Nothing but published scores is shown; the costs
are those of the full recipe.
"""

import functools
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FormatStrFormatter, NullLocator

from deeplab.course.switches import show_switches
from deeplab.figures import plots
from deeplab.figures.order import pairs
from deeplab.figures.plots import house_style
from deeplab.figures.table import DEPTH_LOOKS
from deeplab.planning.cost import inference_gmacs
from deeplab.planning.plan import plan
from deeplab.table.row import Row
from deeplab.table.rows import load_rows

GPU, GPUS = "V100-32", 4  # what the published rows were most likely trained on
AXES = {"GMACs": "GMACs of one crop, in eval mode",
        "parameters": "millions of parameters, in training",
        "hours": f"hours on {GPUS} {GPU}, predicted"}
TICKS = {"GMACs": (100, 400), "parameters": (70, 90), "hours": (1, 4, 16)}
BETTER = {"output stride": "Output stride 8 against 16", "depth": "101 layers against 50"}
HOW = ("Click a name to switch it off or on. By keyboard: Tab to a button and Space. Below, the "
       "whole table stays.")
DATASETS = tuple(dict.fromkeys(row.dataset for row in load_rows().values()))


class View(NamedTuple):
    """What is chosen: everything that the buttons decide."""

    axes: tuple[str, ...] = tuple(AXES)
    datasets: tuple[str, ...] = DATASETS
    backbones: tuple[str, ...] = ("resnet50", "resnet101")
    output_strides: tuple[int, ...] = (8, 16)

    @property
    def rows(self) -> dict[str, Row]:
        """The rows that are shown, by id, in the order of the table."""
        return {row_id: row for row_id, row in load_rows().items()
                if row.dataset in self.datasets and row.backbone in self.backbones
                and row.output_stride in self.output_strides}

    def exchange(self, pair: str, axis: str) -> tuple[float, float, int]:
        """What the better of two rows gains, what it costs, and how many such pairs are shown.

        The gain is in points of mIoU, the cost a factor; both are means over the pairs of the
        kind `pair` ("output stride" or "depth"), and 0.0 and 1.0 if there is none.
        """
        both = pairs(self.rows, pair)
        if not both:
            return 0.0, 1.0, 0
        gains = [self.rows[better].published_miou - self.rows[worse].published_miou
                 for worse, better in both]
        factors = [costs()[better][axis] / costs()[worse][axis] for worse, better in both]
        return sum(gains) / len(both), sum(factors) / len(both), len(both)

    def sentence(self) -> str:
        """What the picture shows, in words."""
        said = [f"{len(self.rows)} of {len(load_rows())} rows."]
        for pair, words in BETTER.items():
            found = {axis: self.exchange(pair, axis) for axis in self.axes}
            gain, _, count = next(iter(found.values()), (0.0, 1.0, 0))
            if count:
                prices = ", ".join(f"{factor:.2f} times the {axis}"
                                   for axis, (_, factor, _) in found.items())
                said.append(f"{words}: {gain:+.2f} points for {prices} "
                            f"(mean of {count} pair{'s' * (count > 1)}).")
        return " ".join(said)


def costs() -> dict[str, dict[str, float]]:
    """The `cost` of every row."""
    return {row_id: cost(row_id) for row_id in load_rows()}


@functools.cache
def cost(row_id: str) -> dict[str, float]:
    """GMACs of one crop, millions of parameters, and hours of a row; takes about a second."""
    (line,) = plan([row_id], gpu=GPU, gpus=GPUS)
    return {"GMACs": inference_gmacs(line.config), "hours": line.hours,
            "parameters": sum(line.cost.parameters.values()) / 1e6}


@house_style
def draw(view: View) -> Figure:
    """Published mIoU (up) against the chosen costs (right) of the chosen rows."""
    panels: dict[str, list[Row]] = {}
    for row in view.rows.values():
        panels.setdefault(row.dataset, []).append(row)
    if not panels or not view.axes:
        fig = plots.figure(1.5)
        fig.text(0.5, 0.5, "No row of the table is chosen.", ha="center", va="center")
        return fig
    spans = [[row.published_miou for row in rows] for rows in panels.values()]
    half = 0.7 * max(max(span) - min(span) for span in spans) + 0.5
    fig = plots.figure(2.3 * len(view.axes) + 0.8)
    grid = fig.subplots(len(view.axes), len(panels), squeeze=False, sharex="row", sharey="col")
    for line, axis in zip(grid, view.axes, strict=True):
        line[0].set_xscale("linear" if axis == "parameters" else "log")
        for axes, rows, span in zip(line, panels.values(), spans, strict=True):
            _panel(axes, rows, axis, has_scores=len(view.axes) == 1)
            middle = (max(span) + min(span)) / 2
            axes.set_ylim(middle - half, middle + half)
        line[0].margins(x=1.0 if axis == "parameters" and len(view.axes) == 1 else 0.35)
        line[len(line) // 2].set_xlabel(AXES[axis])
        line[0].set_ylabel("mIoU (per cent)")
    for axes, dataset in zip(grid[0], panels, strict=True):
        axes.set_title(dataset, loc="center")
    fig.legend(loc="outside lower center", ncols=2, handles=_handles(view))
    return fig


def _panel(axes: Axes, rows: Sequence[Row], axis: str, *, has_scores: bool) -> None:
    """One label set: a line per backbone from output stride 16 to 8."""
    for backbone, (marker, colour, _) in DEPTH_LOOKS.items():
        points = sorted(((costs()[row.row_id][axis], row.published_miou, row.output_stride)
                         for row in rows if row.backbone == backbone), key=lambda point: -point[2])
        axes.plot([x for x, _, _ in points], [y for _, y, _ in points], color=colour, linewidth=1)
        for x, y, output_stride in points:
            axes.plot(x, y, marker, color=colour, markersize=8, markeredgewidth=2,
                      markerfacecolor=colour if output_stride == 8 else "white")
            if has_scores:
                _write_score(axes, f"{y:.2f}", (x, y), is_deep=backbone == "resnet101",
                             beside=axis == "parameters")
    axes.xaxis.set_major_locator(FixedLocator(TICKS[axis]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes.yaxis.get_major_locator().set_params(integer=True, nbins=5)
    axes.grid(axis="y")


def _write_score(axes: Axes, text: str, place: tuple[float, float], *, is_deep: bool,
                 beside: bool) -> None:
    """A score at its mark: `beside` it where marks stand above each other, else above or below.

    Those of the deeper network go right or up, the others left or down: rows may nearly coincide.
    """
    way = 1 if is_deep else -1
    plots.note(axes, text, place, 8 * way * beside, 8 * way * (not beside),
               ha=("left" if is_deep else "right") if beside else "center",
               va="center" if beside else "bottom" if is_deep else "top", fontsize=9,
               bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8})


def _handles(view: View) -> list[Line2D]:
    return [Line2D([], [], marker=marker, color=colour, linestyle="", markersize=8,
                   markeredgewidth=2, markerfacecolor=colour if stride == 8 else "white",
                   label=f"{backbone.removeprefix('resnet')} layers, output stride {stride}")
            for backbone, (marker, colour, _) in DEPTH_LOOKS.items()
            if backbone in view.backbones for stride in (16, 8) if stride in view.output_strides]


def explore(view: View | None = None, *, interactive: bool = False) -> None:
    """All rows over each kind of cost, or `view`; with `interactive` choosers for rows and axis.

    The picture of `view` stays when a notebook is saved, and is what readers without a kernel
    or without ipywidgets see.
    """
    view = view or View()
    if interactive and find_spec("ipywidgets"):
        _choosers()
    plots.show(draw(view), alt=view.sentence())
    if interactive and not find_spec("ipywidgets"):
        print("There are no choosers without ipywidgets: pip install ipywidgets")


def _choosers() -> None:
    from ipywidgets import ToggleButtons
    every = View()

    def drawn(on: dict[str, tuple], axis: str) -> tuple[Figure, str]:
        view = View((axis,), *on.values())
        return draw(view), view.sentence()

    show_switches(HOW, {"label set": every.datasets, "backbone": every.backbones,
                        "output stride": every.output_strides},
                  ToggleButtons(options=list(AXES), description="cost"), drawn)
