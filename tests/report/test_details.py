"""Row by row: what the seeds say about the published score, in words, and links to pages."""

import nbformat
import pytest
from scipy.stats import ttest_1samp

from deeplab.report.details import PAGE, details, interval, published_text, write_row_pages


def run(miou, seed=0, profile="full", **facts):
    return {"row_id": "voc_r50_d8", "dataset": "voc", "profile": profile, "seed": seed,
            "miou": miou, "published_miou": 77.72, "minutes": 1.25, "device": "cpu",
            "gpu": None, "torch": "2", "commit": "abc", "dirty": True,
            "deviations": [9, 10]} | facts


@pytest.mark.parametrize("scores, words", [
    ([77.7], "within the tolerance of 0.5; one seed has no interval"), ([70], "beyond"),
    ([77.70, 77.72, 77.75], "equivalent"), ([75.0, 75.1, 75.2], "different"),
    ([80.0, 80.1, 80.2], "different"), ([77.0, 77.7, 78.4], "undecided"),
    ([77.9, 78.3, 78.7], "undecided")])
def test_the_verdict_follows_from_the_interval_and_the_tolerance(scores, words):
    assert words in published_text([run(score) for score in scores])


def test_the_interval_holds_the_means_that_a_t_test_does_not_refuse():
    scores = [50.0, 51.3, 52.2, 49.9]
    for end in interval(scores):
        assert ttest_1samp(scores, end).pvalue == pytest.approx(0.05, abs=1e-9)


def test_other_profiles_and_own_datasets_are_not_judged():
    assert "says nothing about profile demo" in published_text([run(40, profile="demo")])
    assert published_text([run(40, published_miou=None)]) == "nothing is published"


def test_each_seed_leads_to_its_page_and_texts_are_escaped(tmp_path):
    runs = [run(77, seed, folder=tmp_path / f"voc_r50_d8/seed{seed}") for seed in (0, 1)]
    for one in runs:
        one["folder"].mkdir(parents=True)
    cell = nbformat.v4.new_markdown_cell("# One row")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), runs[1]["folder"] / "notebook.ipynb")
    write_row_pages(runs)
    assert "<h1" in (runs[1]["folder"] / PAGE).read_text()
    runs[0]["torch"] = "<b>2</b>"
    text = details(runs, tmp_path)
    assert "seed 0 <a href=\"voc_r50_d8/seed1/row.html\">seed 1</a>" in text
    assert "&lt;b&gt;2" in text and "<b>" not in text and "with changes" in text
    assert '<li value="9">' in text and '<li value="1">' not in text and 'scope="row"' in text


def test_a_page_that_was_there_is_not_kept_and_a_broken_notebook_says_so(tmp_path):
    entry = run(77, folder=tmp_path)
    (tmp_path / PAGE).write_text("<script>a stranger's</script>")
    (tmp_path / "notebook.ipynb").write_text("{")
    write_row_pages([entry])
    assert "cannot be shown" in (tmp_path / PAGE).read_text()
    cell = nbformat.v4.new_markdown_cell("# One row")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "notebook.ipynb")
    write_row_pages([entry])
    assert "Content-Security-Policy" in (tmp_path / PAGE).read_text()
