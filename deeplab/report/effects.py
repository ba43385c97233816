"""What each ingredient of the paper is worth, there and here, by a rule fixed beforehand.

An effect is the difference of two cells that differ in one thing. Here it is the mean over seeds
of the difference at the same seed. It is *shown* if that mean has the sign of the paper's
difference and is at least two of its standard errors from zero, *contradicted* if it has the
other sign and is, and otherwise *not shown*.
"""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from deeplab.table.rows import get_row

SEEDS = 3  # at least, for a judgement
STANDARD_ERRORS = 2  # of the mean difference, which it must reach
SHOWN, NOT_SHOWN, CONTRADICTED = "shown", "not shown: within noise", "contradicted"
NOT_JUDGED = "not judged: fewer than three seeds of both"


@dataclass(frozen=True)
class Effect:
    """Two rows of the paper's tables that differ in one ingredient."""

    ingredient: str
    row_with: str  # without "paper_"
    row_without: str
    on_voc: tuple[str, str] | None = None  # the paper's two rows, where these are not its own

    @property
    def rows(self) -> tuple[str, str]:
        """The ids of the row with the ingredient and of the one without."""
        return _ids(self.row_with, self.row_without)

    @property
    def reported(self) -> float:
        """What the paper gains, in mIoU points; on VOC where it has no such rows."""
        rows = _ids(*self.on_voc) if self.on_voc else self.rows
        better, worse = (get_row(row_id).published_miou for row_id in rows)
        return round(better - worse, 2)

    @property
    def compared(self) -> str:
        """The two cells in words: `Table 1: ... against ...`."""
        better, worse = map(get_row, self.rows)
        if self.on_voc:
            return f"on VOC; here, on Cityscapes, {better.what} against {worse.what}"
        table = f"Table {better.table}" + f" and {worse.table}" * (better.table != worse.table)
        return f"{table}: {better.what} against {worse.what}"


def _ids(row_with: str, row_without: str) -> tuple[str, str]:
    return f"paper_{row_with}", f"paper_{row_without}"


EFFECTS = (
    Effect("Output stride 8 rather than 16", "t1_os8", "t1_os16"),
    Effect("Output stride 16 rather than 32", "t1_os16", "t1_os32"),
    Effect("Output stride 32 rather than 64", "t1_os32", "t1_os64"),
    Effect("Block 5 behind block 4, 50 layers", "t2_r50_block5", "t2_r50_block4"),
    Effect("Block 7 behind block 6, 50 layers", "t2_r50_block7", "t2_r50_block6"),
    Effect("Blocks 5 to 7, 101 layers", "t2_r101_block7", "t2_r101_block4"),
    Effect("101 layers rather than 50", "t2_r101_block7", "t2_r50_block7"),
    Effect("Multi-Grid (1, 2, 1) in a cascade", "t3_mg121_block7", "t3_mg111_block7"),
    Effect("Multi-Grid (1, 2, 4) in block 4", "t3_mg124_block4", "t3_mg111_block4"),
    Effect("Evaluating a cascade at 8", "t4_at8", "t4_at16"),
    Effect("Six scales, cascade", "t4_scales", "t4_at8"),
    Effect("Mirroring, cascade", "t4_flips", "t4_scales"),
    Effect("The pyramid", "t5_mg111", "t2_r101_block4"),
    Effect("Multi-Grid (1, 2, 4) below the pyramid", "t5_mg124", "t5_mg111"),
    Effect("A fourth rate", "t5_mg124_rate24", "t5_mg124"),
    Effect("The image-level branch", "t5_mg124_image", "t5_mg124"),
    Effect("Evaluating the pyramid at 8", "t6_at8", "t6_at16"),
    Effect("Six scales, pyramid", "t6_scales", "t6_at8"),
    Effect("Mirroring, pyramid", "t6_flips", "t6_scales"),
    Effect("The larger crop", "t8_crop513", "t8_crop321"),
    Effect("The loss at full resolution", "t8_crop513", "t8_label"),
    Effect("Training BatchNorm", "t8_crop513", "t8_norm"),
    Effect("Batch 16 rather than 8", "t9_batch16", "t9_batch8"),
    Effect("Batch 16 rather than 4", "t9_batch16", "t9_batch4"),
    Effect("Evaluating Cityscapes at 8", "t10_at8", "t10_at16"),
    Effect("Six scales, Cityscapes", "t10_scales", "t10_at8"),
    Effect("Output stride 8 rather than 16, Cityscapes", "again_os8", "again_os16",
           on_voc=("t1_os8", "t1_os16")),
    Effect("Output stride 16 rather than 32, Cityscapes", "again_os16", "again_os32",
           on_voc=("t1_os16", "t1_os32")),
    Effect("The pyramid, Cityscapes", "again_aspp", "again_block4",
           on_voc=("t5_mg111", "t2_r101_block4")),
)

_CASCADE = (
    "Blocks 5 to 7 have rates of 4, 8 and 16 cells there and a crop's map 6 x 6 cells, so that "
    "of most kernels the middle tap alone is left; and 240 steps are few for copies of block 4.")
_MULTI_GRID = (
    "Multi-Grid (1, 2, 4) makes rates of 2, 4 and 8 cells there: on a crop's map of 6 x 6 cells "
    "most taps of the widest fall on padding.")
AT_DEMO = {  # why the demo's size may hide it: arithmetic of its maps, not a measurement
    "Block 5 behind block 4, 50 layers": _CASCADE,
    "Block 7 behind block 6, 50 layers": _CASCADE,
    "Blocks 5 to 7, 101 layers": _CASCADE,
    "101 layers rather than 50": _CASCADE,
    "Multi-Grid (1, 2, 1) in a cascade": _CASCADE,
    "Multi-Grid (1, 2, 4) in block 4": _MULTI_GRID,
    "Multi-Grid (1, 2, 4) below the pyramid": _MULTI_GRID,
    "Six scales, cascade": "At half its size a picture of the demo is a map of 6 x 8 cells at "
                           "output stride 8, where blocks 5 to 7 have rates of 8, 16 and 32 "
                           "cells.",
    "A fourth rate": "Its rate is 4 cells there, on a crop's map of 6 x 6: most of its taps fall "
                     "on padding.",
    "The image-level branch": "A picture of the demo is a map of 6 x 8 cells, which the last "
                              "block and the pyramid together span without it; and random crops "
                              "cut many of the far companions away.",
    "Training BatchNorm": "The demo's backbone was pretrained on pictures drawn like those it is "
                          "trained on, so that its statistics fit as they are.",
}


@dataclass(frozen=True)
class Measured:
    """An effect as seeds show it; differences in mIoU points, seed by seed."""

    effect: Effect
    differences: tuple[float, ...]

    @classmethod
    def of(cls, effect: Effect, scores: Mapping[str, Mapping[int, float]]) -> "Measured":
        """The effect in `scores`, mIoU by row and seed, over the seeds that both rows have."""
        better, worse = (scores.get(row_id, {}) for row_id in effect.rows)
        return cls(effect, tuple(better[seed] - worse[seed] for seed in sorted(better)
                                 if seed in worse))

    @property
    def mean(self) -> float | None:
        """The mean difference; None without a seed."""
        return statistics.mean(self.differences) if self.differences else None

    @property
    def half_interval(self) -> float | None:
        """Two standard errors of the mean; None for fewer than two seeds."""
        count = len(self.differences)
        if count < 2:
            return None
        return STANDARD_ERRORS * statistics.stdev(self.differences) / math.sqrt(count)

    @property
    def judgement(self) -> str:
        """What the rule says."""
        if len(self.differences) < SEEDS:
            return NOT_JUDGED
        if self.mean == 0 or abs(self.mean) < self.half_interval:
            return NOT_SHOWN
        return SHOWN if (self.mean > 0) == (self.effect.reported > 0) else CONTRADICTED

    @property
    def words(self) -> str:
        """The difference here: `+1.23 ± 0.45 (3)`; a dash without a seed."""
        if self.mean is None:
            return "—"
        interval = "" if self.half_interval is None else f" ± {self.half_interval:.2f}"
        return f"{self.mean:+.2f}{interval} ({len(self.differences)})"

    @property
    def sentence(self) -> str:
        """One sentence, as Markdown."""
        return (f"**{self.effect.ingredient}: {self.judgement}.** The paper reports "
                f"{self.effect.reported:+.2f} ({self.effect.compared}); here {self.words}.")

    def reason(self, profile: str) -> str:
        """Why the demo's size may hide the ingredient; no words where it does not."""
        is_hidden = profile == "demo" and self.judgement in (NOT_SHOWN, CONTRADICTED)
        return AT_DEMO.get(self.effect.ingredient, "") if is_hidden else ""

    def explained(self, profile: str) -> str:
        """The sentence and, where the demo does not show the ingredient, why that may be."""
        reason = self.reason(profile)
        return f"{self.sentence} Perhaps: {reason}" if reason else self.sentence
