"""Pictures of lesson 11: runs that were stopped and went on."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from deeplab.course.one_row.resume import STOP
from deeplab.figures.plots import BLUE, GREEN, GREY, ORANGE, house_style, subplots

LOOKS = {"never stopped": dict(color=GREY, linewidth=7, alpha=0.5),
         "stopped, went on": dict(color=BLUE, marker="o", linewidth=1.5),
         "momenta forgotten": dict(color=ORANGE, marker="s", linestyle="--"),
         "random numbers forgotten": dict(color=GREEN, marker="^", linestyle=":")}


@house_style
def losses(runs: Mapping[str, Mapping[int, float]]) -> Figure:
    """The loss of each step of `runs`, named as in `stories`; beside it the difference."""
    fig, (left, right) = subplots(3.6, 1, 2)
    never = runs["never stopped"]
    for name, by_step in runs.items():
        steps = list(by_step)
        left.plot(steps, list(by_step.values()), label=name, **LOOKS[name])
        right.plot(steps, [by_step[step] - never[step] for step in steps], **LOOKS[name])
    for ax in (left, right):
        ax.axvline(STOP + 0.5, color="black", linewidth=1)
        ax.set_xlabel("step")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.annotate("stopped here", (STOP + 0.5, 0.97), xycoords=("data", "axes fraction"),
                  xytext=(6, 0), textcoords="offset points", va="top")
    left.set_title("loss of the batch")
    right.set_title("difference from the run that never stopped")
    fig.legend(loc="outside lower center", ncols=len(runs))
    return fig
