"""What one ingredient of the paper was worth in the demo, over seeds: for lessons to show.

The scores are those of `results/example/paper/table.csv`, which `make paper` writes: every cell of
the paper's tables as the demo profile trained it. The rule is that of `deeplab.report.effects`.
"""

import csv
import textwrap
from collections.abc import Mapping

from deeplab.figures.gains import effect_plot, effect_words
from deeplab.figures.plots import show as show_figure
from deeplab.figures.tables import show_table
from deeplab.report.effects import EFFECTS, Measured
from deeplab.report.paper import scores_by_cell
from deeplab.support.errors import unknown
from deeplab.support.folders import PROJECT

TABLE = PROJECT / "results" / "example" / "paper" / "table.csv"
ABSENT = ("The demo's results for the paper's tables are not here: `make paper` measures them, "
          "in results/example/paper/table.csv.")
HEADER = ("ingredient", "the paper's difference", "here, seed by seed",
          "mean here ± 2 standard errors (seeds)", "verdict")


def demo_scores() -> dict[str, dict[int, float]]:
    """mIoU in per cent by row of the paper and seed; nothing where the file is absent."""
    if not TABLE.is_file():
        return {}
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return scores_by_cell((entry["row_id"], int(entry["seed"]), float(entry["miou"]))
                              for entry in csv.DictReader(lines))


def effect(ingredient: str, scores: Mapping[str, Mapping[int, float]] | None = None) -> Measured:
    """The effect of `ingredient` in `scores` (row → seed → mIoU), the demo's unless given.

    It has `.mean`, `.half_interval`, `.judgement` and `.sentence`. Raises `UsageError` (E-EFFECT)
    for an ingredient that is none of `deeplab.report.effects.EFFECTS`.
    """
    named = {one.ingredient: one for one in EFFECTS}
    if ingredient not in named:
        raise unknown("E-EFFECT", "ingredient", ingredient, named)
    return Measured.of(named[ingredient], demo_scores() if scores is None else scores)


def line(measured: Measured) -> tuple[str, str, str, str, str]:
    """An effect in the columns of `HEADER`; differences are in mIoU points."""
    each = ", ".join(f"{difference:+.2f}" for difference in measured.differences) or "—"
    return (f"{measured.effect.ingredient} ({measured.effect.compared})",
            f"{measured.effect.reported:+.2f}", each, measured.words, measured.judgement)


def show(*ingredients: str, figure: bool = False) -> None:
    """Display a line for each ingredient, the paper's difference and the demo's with its verdict.

    With `figure` also the intervals; below stands why the demo's size may hide what it does not
    show. Prints one line instead where the demo's results are absent.
    Raises `UsageError` (E-EFFECT) as `effect` does.
    """
    scores = demo_scores()
    effects = [effect(ingredient, scores) for ingredient in ingredients]
    if not scores:
        print(ABSENT)
        return
    show_table(HEADER, map(line, effects))
    if figure:
        show_figure(effect_plot(effects), alt=effect_words(effects))
    hidden: dict[str, list[str]] = {}
    for one in effects:
        hidden.setdefault(one.reason("demo"), []).append(one.effect.ingredient)
    for reason, names in hidden.items():
        if reason:
            print(textwrap.fill(f"{'; '.join(names)}: perhaps hidden in the demo. {reason}", 88))
