"""Pictures of lesson 12: differences between rows, runs and teams, beside what noise makes.

Published numbers come from `rows.csv`; those of the second team are named with their source.
"""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deeplab.course.whole_table.equivalence import claim
from deeplab.figures.order import PAIRS, pairs
from deeplab.figures.plots import BLUE, GREEN, ORANGE, house_style, note, subplots
from deeplab.table.rows import load_rows
from deeplab.table.verdict import tolerance

BAND = "#d0d0d0"
CLAIMS = {"equivalent": GREEN, "different": ORANGE, "undecided": BLUE}
SHORT = {"output stride": "D8 - D16", "depth": "R101 - R50"}
COLOURS = {"output stride": BLUE, "depth": ORANGE}
# The same rows by the other team, per cent: mmsegmentation, docs of configs/deeplabv3, the
# schedules nearest to the table's (40k, 160k, 80k and 80k steps).
OTHER_TEAM = {"voc_r50_d8": 77.68, "voc_r101_d8": 77.92, "ade20k_r50_d8": 42.66,
              "ade20k_r101_d8": 45.00, "cityscapes_r50_d8": 79.32, "cityscapes_r101_d8": 80.20,
              "context_r101_d8": 46.42, "context59_r101_d8": 52.46}
# What the table said before two rows were run again: SSSegmentation's history, 90c36a0d.
BEFORE = {"ade20k_r50_d8": 42.39, "ade20k_r101_d8": 44.65}


def published() -> dict[str, float]:
    """Published mIoU, in per cent, of the 16 rows."""
    return {row_id: row.published_miou for row_id, row in load_rows().items()}


def gains(scores: Mapping[str, float], pair: str) -> dict[str, float]:
    """How much better, in points, the row is that should be: by the id of the lesser row.

    `pair` is one of `PAIRS`.
    """
    return {worse: round(scores[better] - scores[worse], 2)
            for worse, better in pairs(scores, pair)}


@house_style
def opening() -> Figure:
    """The 14 differences that the table is read for, beside how far a re-run may be off."""
    fig, panels = subplots(4.6, 1, 2, sharex=True)
    for axes, pair in zip(panels, PAIRS, strict=True):
        found = gains(published(), pair)
        names = [row_id.replace(PAIRS[pair][0], "_").strip("_").replace("_", " ")
                 for row_id in found]
        _dots(axes, names, found, COLOURS[pair])
        axes.set(title=f"{SHORT[pair]}, published", ylim=(7.6, -0.6), xlabel="points of mIoU")
    return fig


@house_style
def offsets(differences: Mapping[str, float], *, title: str) -> Figure:
    """The differences, in points, of rows that should be equal, with the tolerance of each."""
    fig, axes = subplots(0.3 * len(differences) + 1.1, width=6.5)
    _dots(axes, list(differences), differences, GREEN)
    axes.set(title=title, xlabel="points of mIoU; the band is the tolerance",
             ylim=(len(differences) - 0.4, -0.6))
    return fig


@house_style
def intervals(ends: Mapping[str, tuple[float, float]], allowed: float) -> Figure:
    """Confidence intervals of differences, in points, with the tolerance and what each allows."""
    fig, axes = subplots(0.4 * len(ends) + 1.1, width=7.5)
    axes.axvspan(-allowed, allowed, color=BAND, linewidth=0)
    for place, (low, high) in enumerate(ends.values()):
        said = claim((low, high), allowed)
        axes.plot([low, high], [place, place], "|-", color=CLAIMS[said], markersize=12)
        axes.plot((low + high) / 2, place, "o", color=CLAIMS[said])
        note(axes, said, (max(high, allowed), place), 12, 0, va="center")
    axes.axvline(0, color="black", linewidth=1)
    axes.set(ylim=(len(ends) - 0.4, -0.6), xlabel=f"points of mIoU; the band is the tolerance, "
             f"±{allowed:g}")
    axes.set_yticks(range(len(ends)), list(ends))
    axes.margins(x=0.3)
    return fig


@house_style
def seeds(scores: Mapping[str, Sequence[float]]) -> Figure:
    """mIoU of every seed of several rows, the same seeds joined by a line."""
    fig, axes = subplots(3.2, width=6)
    for seed, values in enumerate(zip(*scores.values(), strict=True)):
        (line,) = axes.plot(range(len(values)), values, "o-", label=f"seed {seed}")
        note(axes, f"{values[-1]:.1f}", (len(values) - 1, values[-1]), 9, 0, va="center",
             color=line.get_color())
    axes.set(xlim=(-0.3, len(scores) - 0.5), ylabel="mIoU (per cent), demo, 60 steps")
    axes.set_xticks(range(len(scores)), list(scores))
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return fig


def _dots(axes, names: Sequence[str], values: Mapping[str, float], colour: str) -> None:
    """One line per row: its name, a dot, its value, and a band as wide as its tolerance."""
    axes.use_sticky_edges = False  # a band ends where it ends, not at the edge of the picture
    for place, (row_id, value) in enumerate(values.items()):
        half = tolerance(load_rows()[row_id].dataset)
        axes.barh(place, 2 * half, left=-half, height=0.7, color=BAND)
        axes.plot(value, place, "o", color=colour,
                  markerfacecolor=colour if abs(value) > half else "white", markeredgewidth=2)
        note(axes, f"{value:+.2f}", (value, place), 9 if value >= 0 else -9, 0, va="center",
             ha="left" if value >= 0 else "right")
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.margins(x=0.22)
