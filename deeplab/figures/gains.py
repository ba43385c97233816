"""What the paper gains by an ingredient against what is gained here."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from deeplab.figures.plots import (BLUE, GREEN, GREY, RED, figure, house_style, note, words_only)
from deeplab.report.effects import CONTRADICTED, NOT_SHOWN, SHOWN, Measured

LOOKS = {SHOWN: (GREEN, "o"), NOT_SHOWN: (GREY, "s"), CONTRADICTED: (RED, "X")}


@house_style
def effect_plot(effects: Sequence[Measured]) -> Figure:
    """A line per effect: the paper's difference, and ours with two standard errors to each side.

    Both are differences of mIoU points within one source; the two sources share no level.
    """
    measured = [one for one in effects if one.mean is not None]
    if not measured:
        return words_only("No ingredient has both of its cells measured.")
    fig = figure(0.36 * len(measured) + 1.3)
    axes = fig.subplots()
    for place, one in enumerate(measured):
        colour, marker = LOOKS.get(one.judgement, (BLUE, "o"))
        axes.plot(one.effect.reported, place, "D", color="black", markerfacecolor="white")
        axes.errorbar(one.mean, place, xerr=one.half_interval, fmt=marker, color=colour,
                      capsize=3)
        note(axes, one.judgement, (1, place), 6, 0, va="center",
             color="black" if colour == GREY else colour, xycoords=("axes fraction", "data"))
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(measured)), [
        one.effect.ingredient + "\n(hollow: on VOC)" * bool(one.effect.on_voc) for one in measured])
    axes.set(ylim=(len(measured) - 0.5, -0.5), xlabel="difference (mIoU points)\n"
             "hollow, as the paper reports; filled, measured here ± 2 standard errors")
    axes.grid(axis="x")
    return fig


def effect_words(effects: Sequence[Measured]) -> str:
    """How many ingredients are shown, not shown and contradicted, as a sentence."""
    counts = {look: sum(one.judgement == look for one in effects) for look in LOOKS}
    unjudged = len(effects) - sum(counts.values())
    return ("Of {} ingredients, shown: {}, not shown (within noise): {}, contradicted: {}, of "
            "fewer than three seeds: {}.".format(len(effects), *counts.values(), unjudged))
