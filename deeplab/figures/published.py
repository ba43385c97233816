"""Published against reproduced: only for results of the full recipe on the real data.

A demo number stands beside a published one in no picture; `why_not_compared` says so in words.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from deeplab.figures.plots import BLUE, GREY, figure, house_style, note
from deeplab.figures.table import Entries, row_means
from deeplab.table.verdict import is_comparable, tolerance

BAND = "#cccccc"


def why_not_compared(profile: str) -> str:
    """Why the figures of this module are not drawn for a profile; empty if they are."""
    if is_comparable(profile):
        return ""
    return (f"Published and reproduced scores are not drawn against each other: profile {profile} "
            "is not the published recipe, so its numbers differ for reasons that have nothing to "
            "do with the reproduction. What can be compared is the *order* of the rows, above.")


@house_style
def dumbbell(entries: Entries) -> Figure:
    """A line per row from the published mIoU to ours, and the band that counts as reproduced.

    A panel per label set, because their levels differ by far more than the tolerance; a
    point of mIoU is equally wide in all of them.
    """
    published, ours = row_means(entries, "published_miou"), row_means(entries)
    panels = _by_dataset(entries)
    fig = figure(0.33 * len(ours) + 0.5 * len(panels) + 0.8)
    grid = fig.subplots(len(panels), 1, squeeze=False,
                        height_ratios=[len(rows) + 0.5 for rows in panels.values()])[:, 0]
    values = [[scores[row] for row in rows for scores in (published, ours)]
              for rows in panels.values()]
    half = 0.6 * max(max(part) - min(part) for part in values) + 0.5
    for axes, (dataset, rows), part in zip(grid, panels.items(), values, strict=True):
        middle = (max(part) + min(part)) / 2
        for place, row_id in enumerate(rows):
            _dumbbell(axes, place, published[row_id], ours[row_id], tolerance(dataset))
        axes.set_yticks(range(len(rows)), rows)
        axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(middle - half, middle + half))
        axes.grid(axis="x")
    grid[-1].set_xlabel("mIoU (per cent)")
    fig.legend(loc="outside lower center", ncols=3, handles=_handles())
    return fig


def _dumbbell(axes, place: int, published: float, ours: float, allowed: float) -> None:
    """One row of the dumbbell plot, with the difference in words."""
    axes.barh(place, 2 * allowed, left=published - allowed, height=0.6, color=BAND)
    axes.plot((published, ours), (place, place), color=GREY)
    axes.plot(published, place, "D", color="black", markerfacecolor="white")
    axes.plot(ours, place, "o", color=BLUE)
    note(axes, f"{ours - published:+.2f}", (max(published + allowed, ours), place), 9, 0,
         va="center")


@house_style
def scatter(entries: Entries) -> Figure:
    """Ours over published, one panel per label set: the line is equality, the band success."""
    published, ours = row_means(entries, "published_miou"), row_means(entries)
    panels = _by_dataset(entries)
    fig = figure(2.9)
    for axes, (dataset, rows) in zip(fig.subplots(1, len(panels), squeeze=False)[0],
                                     panels.items(), strict=True):
        values = [scores[row] for row in rows for scores in (published, ours)]
        ends = np.array([min(values) - 1, max(values) + 1])
        axes.fill_between(ends, ends - tolerance(dataset), ends + tolerance(dataset), color=BAND,
                          linewidth=0)
        axes.plot(ends, ends, color="black", linewidth=1)
        axes.plot([published[row] for row in rows], [ours[row] for row in rows], "o", color=BLUE)
        axes.set(xlim=ends, ylim=ends, aspect="equal", xlabel="published")
        axes.set_title(f"{dataset}\n± {tolerance(dataset)}", loc="center")
        axes.locator_params(nbins=3, integer=True)
    fig.axes[0].set_ylabel("ours, mIoU (per cent)")
    return fig


def _by_dataset(entries: Entries) -> dict[str, list[str]]:
    """The rows of each label set, once each, in the order of the table."""
    return pd.DataFrame(entries).groupby("dataset", sort=False)["row_id"].unique().to_dict()


def _handles() -> list:
    return [Line2D([], [], marker="D", color="black", linestyle="", markerfacecolor="white",
                   label="published"),
            Line2D([], [], marker="o", color=BLUE, linestyle="", label="ours"),
            Patch(color=BAND, label="reproduced within this band")]
