"""The rule that judges an ingredient: differences worked by hand, both signs, and its edges."""

import math

import pytest

from deeplab.report.effects import (
    AT_DEMO,
    CONTRADICTED,
    EFFECTS,
    NOT_JUDGED,
    NOT_SHOWN,
    SHOWN,
    Effect,
    Measured,
)
from deeplab.table.rows import get_row

GAIN = Effect("The image-level branch", "t5_mg124_image", "t5_mg124")  # the paper: +0.63
LOSS = Effect("A fourth rate", "t5_mg124_rate24", "t5_mg124")  # the paper: -0.12


@pytest.mark.parametrize("differences, judgement", [
    ((1.0, 2.0, 3.0), SHOWN),  # mean 2, two standard errors 2 / sqrt 3
    ((-1.0, -2.0, -3.0), CONTRADICTED),
    ((-1.0, 1.0, 3.0), NOT_SHOWN),  # mean 1, two standard errors 2.3
    ((0.0, 0.0, 0.0), NOT_SHOWN), ((0.5, 0.5, 0.5), SHOWN),
    ((5.0, 5.1), NOT_JUDGED), ((5.0,), NOT_JUDGED), ((), NOT_JUDGED)])
def test_a_gain_is_judged_by_two_standard_errors(differences, judgement):
    assert Measured(GAIN, differences).judgement == judgement


def test_where_the_paper_loses_a_loss_is_what_is_shown():
    assert LOSS.reported == -0.12 and GAIN.reported == 0.63
    assert Measured(LOSS, (-1.0, -2.0, -3.0)).judgement == SHOWN
    assert Measured(LOSS, (1.0, 2.0, 3.0)).judgement == CONTRADICTED


def test_the_interval_is_two_standard_errors_of_the_paired_difference():
    measured = Measured(GAIN, (1.0, 2.0, 3.0))
    assert measured.half_interval == pytest.approx(2 / math.sqrt(3))
    assert measured.words == "+2.00 ± 1.15 (3)"
    assert Measured(GAIN, (1.5,)).words == "+1.50 (1)" and Measured(GAIN, ()).words == "—"
    assert measured.sentence == (
        "**The image-level branch: shown.** The paper reports +0.63 (Table 5: MG (1, 2, 4), ASPP "
        "(6, 12, 18), image-level against MG (1, 2, 4), ASPP (6, 12, 18)); here +2.00 ± 1.15 (3).")


def test_a_reason_is_given_only_where_the_demo_does_not_show_the_ingredient():
    assert set(AT_DEMO) <= {effect.ingredient for effect in EFFECTS}
    hidden, shown = Measured(GAIN, (-1.0, 1.0, 0.5)), Measured(GAIN, (1.0, 2.0, 3.0))
    assert hidden.explained("demo") == f"{hidden.sentence} Perhaps: {AT_DEMO[GAIN.ingredient]}"
    assert hidden.explained("full") == hidden.sentence
    assert shown.explained("demo") == shown.sentence
    unjudged = Measured(GAIN, (1.0,))
    assert unjudged.explained("demo") == unjudged.sentence


def test_only_seeds_that_both_rows_have_are_paired():
    scores = {"paper_t5_mg124_image": {0: 41.0, 1: 42.0, 2: 43.0, 7: 90.0},
              "paper_t5_mg124": {0: 40.0, 1: 40.0, 2: 40.0, 5: 10.0}}
    assert Measured.of(GAIN, scores).differences == (1.0, 2.0, 3.0)
    assert Measured.of(LOSS, scores).differences == ()


def test_every_effect_is_of_two_rows_that_there_are_and_has_a_reported_difference():
    assert len({effect.rows for effect in EFFECTS}) == len(EFFECTS)
    assert all(get_row(row_id).table for effect in EFFECTS for row_id in effect.rows)
    assert all(effect.reported for effect in EFFECTS)
    mean = {effect.ingredient: effect.reported for effect in EFFECTS}
    assert mean["Output stride 8 rather than 16"] == 1.30
    assert mean["The pyramid"] == 6.97 and mean["Batch 16 rather than 4"] == 12.78
    assert mean["The pyramid, Cityscapes"] == mean["The pyramid"]
    asked_again = Measured(EFFECTS[-1], (1.0, 2.0, 3.0)).sentence
    assert "on VOC; here, on Cityscapes, ResNet-101" in asked_again
    assert sorted(name for name, value in mean.items() if value < 0) == [
        "A fourth rate", "Block 7 behind block 6, 50 layers"]
