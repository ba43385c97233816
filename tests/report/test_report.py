"""The report over made-up results: what stands in the table, what is left out, what is written."""

import json
import re

import nbformat
import pytest
from results_folders import result_facts, write_run

from deeplab.report.baseline import share_words
from deeplab.report.html import html_page
from deeplab.report.report import Report, score_text
from deeplab.runs.config import RunConfig
from deeplab.runs.fingerprint import fingerprint
from deeplab.support.errors import UsageError
from deeplab.table.verdict import verdict


def fabricate(root, row_id, miou, *, profile="full", seed=0, complete=True, stale=()):
    """The folder of a run that ended with `miou`; `stale` names parts of its fingerprint."""
    config = RunConfig.of(row_id=row_id, profile=profile, seed=seed, results_root=str(root))
    mark = fingerprint(config) | dict.fromkeys(stale, "of old")
    class_iou = dict.fromkeys(config.label_set.classes, miou) | {"dog": None}
    write_run(config, mark, facts=result_facts(
        config, miou=miou, class_iou=class_iou, steps=6 if complete else 3, complete=complete))
    return json.loads((config.folder / "result.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A results folder with its report: two rows done, one cut short, one stale."""
    root = tmp_path_factory.mktemp("results")
    fabricate(root, "voc_r50_d8", 77.5)
    fabricate(root, "voc_r50_d16", 70.0)
    fabricate(root, "voc_r101_d8", 33.33, complete=False)
    fabricate(root, "voc_r101_d16", 44.44, stale=["code", "weights"])
    assert Report.make(root, "full") == root / "full" / "report.html"
    return root / "full"


def test_each_row_has_a_line_with_published_and_ours_apart(written):
    table = (written / "table.md").read_text(encoding="utf-8")
    assert table.startswith("# The table, profile full\n\n2 of 16 rows done.")
    assert "full mIoU (%), real data" in table
    assert "| voc_r50_d8 | resnet50 | 8 | 77.72 | 77.50 | 1449 | 1.5 | done |" in table
    assert "| voc_r101_d8 | resnet101 | 8 | 79.52 | — | — | — | incomplete |" in table
    assert "| voc_r101_d16 | resnet101 | 16 | 78.55 | — | — | — | stale |" in table
    assert "| context_r50_d8 | resnet50 | 8 | 46.31 | — | — | — | not run |" in table


def test_numbers_that_do_not_count_stand_nowhere(written):
    for name in ("table.md", "table.csv", "report.html"):
        text = (written / name).read_text(encoding="utf-8")
        assert "33.33" not in text and "44.44" not in text


def test_the_page_says_what_is_left_out_and_why(written):
    page = (written / "report.html").read_text(encoding="utf-8")
    assert "incomplete, stopped early on purpose (3 of 6 steps)" in page
    assert "stale, because something it rests on has changed since: code, weights" in page
    assert "D8 above D16 in 1 of 1 pairs" in page


def test_the_page_keeps_alternative_texts_and_needs_no_network(written):
    page = (written / "report.html").read_text(encoding="utf-8")
    images = re.findall(r"<img[^>]*>", page, re.DOTALL)
    assert len(images) == 6  # order, dumbbell, scatter, cost, curves, one heat map
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)
    assert all("data:image/png;base64," in image for image in images)
    assert not re.search(r"<script|<link|src=[\"']http", page)
    assert len(page) < 3e6


def test_no_folder_of_this_machine_is_on_the_page(written):
    assert str(written.parent) not in (written / "report.html").read_text(encoding="utf-8")


def test_the_figures_are_also_files(written):
    assert sorted(path.stem for path in (written / "figures").iterdir()) == [
        "classes-voc", "cost", "curves", "dumbbell", "order", "scatter"]
    assert not list(written.rglob(".tmp-*"))


def test_other_profiles_warn_that_their_numbers_are_not_comparable(tmp_path):
    fabricate(tmp_path, "voc_r50_d8", 45.0, profile="small")
    page = Report.of(profile="small", results_root=str(tmp_path)).page
    assert "**not comparable**" in page
    assert "small mIoU (%), own data, slim network" in page


def test_a_report_without_any_result_lists_every_row_as_not_run(tmp_path):
    report = Report.of(profile="demo", results_root=str(tmp_path))
    assert (report.page.count("not run"), report.minutes, report.deviations) == (16, 0, [])


def test_a_parameter_or_profile_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no parameter 'result_root'(.|\n)*results_root"):
        Report.of(result_root=str(tmp_path))
    with pytest.raises(UsageError, match="E-PROFILE"):
        Report.of(profile="demos")


def test_few_seeds_are_shown_as_they_are_and_many_as_mean_and_deviation():
    assert score_text([50.0]) == "50.00"
    assert score_text([50.0, 52.0]) == "50.00 / 52.00"
    assert score_text([50.0, 51.0, 55.0]) == "52.00 ± 2.65 (3)"  # sd of the sample: sqrt(7)


def test_the_verdict_compares_only_a_whole_run_of_the_full_recipe(tmp_path):
    facts = fabricate(tmp_path, "voc_r50_d8", 77.3) | {"num_images": 1449}
    assert verdict(facts).endswith("difference -0.42, tolerance ±0.5: **reproduced**.")
    assert "over 20 of 21 classes" in verdict(facts)
    assert "**not reproduced**" in verdict(facts | {"miou": 78.3})
    assert "**not reproduced**" in verdict(facts | {
        "miou": 44.0, "dataset": "ade20k", "num_images": 2000, "published_miou": 43.19})
    assert "no verdict" in verdict(facts | {"num_images": 1448})
    assert "reproduced" not in verdict(facts | {"profile": "demo"})
    assert "3 of 6 steps" in verdict(facts | {"complete": False, "steps": 3})


def test_the_colour_promise_is_judged_by_the_worst_label_set():
    kept = share_words([("voc", 20.0, "voc_r50_d16", 50.0), ("ade20k", 15.0, "a", 25.0)])
    assert "at most 60 %" in kept and "(ade20k)" in kept and kept.endswith("is kept.")
    assert "**broken**" in share_words([("voc", 31.0, "voc_r50_d16", 50.0)])
    assert "miniature twins only" in share_words([])


def test_a_page_lets_no_script_of_a_stranger_run(tmp_path):
    code = "<script>alert(1)</script><meta http-equiv=refresh content='0;url=x'><base href=x>"
    notebook = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_markdown_cell(f"# The table {code}\n\nA row <SCRIPT src=x></SCRIPT>"),
        nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output(
            "display_data", {"text/markdown": f"| a |\n| :- |\n| {code} |", "text/plain": code})])])
    nbformat.write(notebook, tmp_path / "report.ipynb")
    page = html_page(tmp_path / "report.ipynb")
    assert "<script" not in page.lower() and "default-src 'none'" in page
    assert "<meta http-equiv=refresh" not in page and "<base" not in page
    assert page.index("Content-Security-Policy") < page.index("<title>The table &lt;script")
