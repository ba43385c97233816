"""One ingredient's worth in the demo, from a table as `make paper` writes it."""

import pytest

from deeplab.course import paper_effects
from deeplab.report.effects import EFFECTS, SHOWN
from deeplab.report.results import table_csv
from deeplab.support.errors import UsageError

CELLS = {"paper_t2_r101_block4": (40.0, 41.0, 42.0), "paper_t5_mg111": (41.0, 43.0, 45.0),
         "paper_t5_mg124": (41.0,)}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """The cells above as the file that the lessons read."""
    entries = [{"row_id": row_id, "seed": seed, "miou": miou, "state": "done", "deviations": []}
               for row_id, scores in CELLS.items() for seed, miou in enumerate(scores)]
    path = tmp_path / "table.csv"
    path.write_text(table_csv(entries), encoding="utf-8")
    monkeypatch.setattr(paper_effects, "TABLE", path)
    return path


def test_the_scores_are_shared_by_cells_that_are_one_experiment(table):
    scores = paper_effects.demo_scores()
    assert scores["paper_t5_mg111"] == {0: 41.0, 1: 43.0, 2: 45.0}
    assert scores["paper_t3_mg111_block4"] == scores["paper_t2_r101_block4"]


def test_an_effect_is_the_paired_difference_and_its_verdict(table):
    pyramid = paper_effects.effect("The pyramid")
    assert pyramid.differences == (1.0, 2.0, 3.0)
    assert pyramid.judgement == SHOWN
    assert paper_effects.line(pyramid) == (
        "The pyramid (Table 5 and 2: MG (1, 1, 1), ASPP (6, 12, 18) against ResNet-101, block 4)",
        "+6.97", "+1.00, +2.00, +3.00", "+2.00 ± 1.15 (3)", "shown")


def test_the_table_and_the_figure_are_shown(table, monkeypatch):
    rows, figures = [], []
    monkeypatch.setattr(paper_effects, "show_table", lambda header, lines: rows.extend(lines))
    monkeypatch.setattr(paper_effects, "show_figure", lambda fig, *, alt: figures.append(alt))
    paper_effects.show("The pyramid", "A fourth rate", figure=True)
    assert [row[-1] for row in rows] == ["shown", "not judged: fewer than three seeds of both"]
    assert rows[1][2:4] == ("—", "—")
    assert figures == ["Of 2 ingredients, shown: 1, not shown (within noise): 0, "
                       "contradicted: 0, of fewer than three seeds: 1."]


def test_what_is_hidden_is_explained_once_below_the_table(table, monkeypatch, capsys):
    monkeypatch.setattr(paper_effects, "show_table", lambda header, lines: None)
    plain, spread = dict.fromkeys(range(3), 4.0), {0: 3.0, 1: 4.0, 2: 5.0}
    scores = {f"paper_t3_{grid}_block4": one for grid, one in (("mg111", spread), ("mg124", plain))}
    scores |= {"paper_t5_mg111": spread, "paper_t5_mg124": plain}
    monkeypatch.setattr(paper_effects, "demo_scores", lambda: scores)
    paper_effects.show("Multi-Grid (1, 2, 4) in block 4", "Multi-Grid (1, 2, 4) below the pyramid")
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("Multi-Grid (1, 2, 4) in block 4; Multi-Grid (1, 2, 4) below the "
                           "pyramid: perhaps")
    assert said.count("perhaps hidden in the demo.") == 1


def test_without_results_one_line_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paper_effects, "TABLE", tmp_path / "absent.csv")
    paper_effects.show("The pyramid")
    assert capsys.readouterr().out == paper_effects.ABSENT + "\n"
    assert paper_effects.effect("The pyramid").mean is None


@pytest.mark.parametrize("call", [paper_effects.effect, paper_effects.show])
def test_an_unknown_ingredient_is_refused(call):
    with pytest.raises(UsageError, match="E-EFFECT there is no ingredient 'Pyramid'"):
        call("Pyramid")


def test_every_ingredient_has_rows_and_a_difference(table):
    assert all(paper_effects.line(paper_effects.effect(one.ingredient))[1] for one in EFFECTS)
