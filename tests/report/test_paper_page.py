"""The page of the paper's tables over made-up results: nothing in a wrong column or table."""

import csv
import io

import pytest
from click.testing import CliRunner
from results_folders import result_facts, write_run

from deeplab.cli.main import main
from deeplab.report.paper import PaperReport, same_cell
from deeplab.report.report import Report
from deeplab.runs.config import RunConfig
from deeplab.runs.fingerprint import fingerprint
from deeplab.support.errors import ResourceError, UsageError

CELLS = {"paper_t5_mg124": (40.0, 41.0, 42.0), "paper_t5_mg124_image": (41.0, 43.0, 45.0),
         "paper_t3_mg124_block6": (30.25,), "voc_r50_d16": (35.61,)}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Results of four cells of the paper and of one row of the published table."""
    root = tmp_path_factory.mktemp("results")
    for row_id, scores in CELLS.items():
        for seed, miou in enumerate(scores):
            config = RunConfig.of(row_id=row_id, seed=seed, results_root=root)
            write_run(config, fingerprint(config), facts=result_facts(
                config, miou=miou, deviations=[1, 12]))
    return root


@pytest.fixture(scope="module")
def report(root):
    return PaperReport.of(results_root=str(root))


def test_only_the_papers_rows_are_on_the_page_and_none_of_them_in_the_table(root, report):
    assert {entry["row_id"] for entry in report.counted} == CELLS.keys() - {"voc_r50_d16"}
    table = Report.of(results_root=str(root))
    assert [entry["row_id"] for entry in table.done] == ["voc_r50_d16"] and table.own == []
    assert "paper_" not in table.page and "voc_r50" not in report.page


def test_each_table_has_the_papers_values_and_ours_apart(report):
    assert ("| MG (1, 2, 4), ASPP (6, 12, 18), image-level | 77.21 | 43.00 ± 2.31 (3) |"
            in report.page)
    assert "| MG (1, 2, 4), ASPP (6, 12, 18) | 76.58 | 41.00 ± 1.15 (3) |" in report.page
    assert "| MG (1, 2, 4), ASPP (6, 12, 18, 24) | 76.46 | — |" in report.page
    assert "| MG (1, 2, 4) | 73.45 | 75.74 | 75.85 | 76.02 |" in report.page
    assert "| MG (1, 2, 4) | — | — | 30.25 | — |" in report.page
    assert report.page.count("## Table ") == 9 and "none was checked" in report.page
    assert "compare differences within a table, never levels" in report.page


def test_cells_that_are_one_experiment_have_one_score(report):
    same = ["paper_t5_mg124_image", "paper_t6_at16", "paper_t8_crop513", "paper_t9_batch16"]
    assert {same_cell(row_id) for row_id in same} == {"paper_t5_mg124_image"}
    assert same_cell("paper_t6_at8") == "paper_t6_at8"
    assert same_cell("paper_t4_at16") == "paper_t3_mg121_block7"
    assert all(report.scores[row_id] == {0: 41.0, 1: 43.0, 2: 45.0} for row_id in same)
    assert "paper_t6_at8" not in report.scores
    assert report.page.startswith("6 of 64 cells measured")


def test_ingredients_are_judged(report):
    lines = {line[0]: line[1:] for line in report.effect_lines}
    assert lines["The image-level branch"] == ("+0.63", "+2.00 ± 1.15 (3)", "shown")
    assert lines["The pyramid"] == ("+6.97", "—", "not judged: fewer than three seeds of both")


def test_page_table_and_figure_are_written_and_a_second_time_the_same(root):
    page = PaperReport.make(root, "demo")
    assert page == root / "demo/paper/paper.html"
    text = page.read_text(encoding="utf-8")
    assert "The image-level branch: shown." in text and "Traceback" not in text
    assert (root / "demo/paper/figures/effects.png").stat().st_size > 5000
    rows = list(csv.DictReader(io.StringIO((root / "demo/paper/table.csv").read_text())))
    assert [row["row_id"] for row in rows] == (
        ["paper_t3_mg124_block6"] + 3 * ["paper_t5_mg124"] + 3 * ["paper_t5_mg124_image"])
    assert (root / "demo/paper/page.md").read_text().startswith("# The paper's own tables")
    shown = CliRunner().invoke(main, ["status", "--results", str(root)]).output.splitlines()
    assert shown[0].startswith("voc_r50_d16") and shown[1] == "the paper's own tables:"


def test_wrong_parameters_and_links_are_refused(root, tmp_path):
    with pytest.raises(UsageError, match="E-PROFILE"):
        PaperReport.make(root, "tiny")
    with pytest.raises(UsageError, match="E-PARAMETER"):
        PaperReport.of(result_root=str(root))
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/paper").symlink_to(root)
    with pytest.raises(ResourceError, match="E-LINK"):
        PaperReport.make(tmp_path, "demo")
