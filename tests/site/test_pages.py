"""What the site makes of notebooks and docstrings, and the numbers that its explorers show."""

import base64
import importlib.util
import io
import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

PROJECT = Path(__file__).parents[2]
SITE = PROJECT / "notebooks" / "site"
LESSONS = [*sorted((PROJECT / "notebooks").glob("[01][0-9]_*.ipynb")),
           PROJECT / "notebooks" / "going_deeper.ipynb"]
sys.path.insert(0, str(SITE))

import build  # noqa: E402
import export  # noqa: E402
import keep  # noqa: E402
import method_pages  # noqa: E402
import notebook_pages  # noqa: E402


def stored(name):
    return json.loads((SITE / "explorers" / f"{name}.json").read_text(encoding="utf-8"))


def page(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    name = path.relative_to(PROJECT).with_suffix("").as_posix()
    return notebook_pages.transform(notebook, name)["cells"]


def test_predict_becomes_a_box_and_hints_fold():
    shown = notebook_pages.page_text(
        "Before.\n\n**Predict.** How many\nof `nine`?\n\nAfter.\n\n"
        "<details><summary>Hint 1</summary>Half.</details>\n"
        "<details><summary>Hint 2</summary>`x // 2`</details>\n\n## Next\n")
    assert shown == (
        "Before.\n\n:::{admonition} Predict\n:class: predict\nHow many\nof `nine`?\n:::\n\n"
        "After.\n\n:::{dropdown} Hint 1\nHalf.\n:::\n"
        ":::{dropdown} Hint 2\n`x // 2`\n:::\n## Next\n")


@pytest.mark.parametrize("source, only", [
    ("import torch\n\ntorch.manual_seed(0);", True),
    ("from deeplab.figures import plots\nplots.show(figures.opening(), alt='x')", True),
    ("x = 1\nplots.show(x, alt='x')", False), ("%pip install x", False), ("", False)])
def test_what_only_imports_or_draws_is_folded(source, only):
    assert notebook_pages.is_only_imports_or_figures(source) == only


def test_a_link_to_a_text_that_an_index_includes_leads_to_the_index():
    folder = "(../results/example"
    shown = notebook_pages.page_text(f"[a]{folder}/paper/page.md) [b]{folder}/table.md#x)")
    assert shown == f"[a]{folder}/paper/index.md) [b]{folder}/index.md#x)"


def test_solutions_are_folded():
    shown = notebook_pages.solution_text("## Exercise 2.1\n\nThe outer tap.")
    assert shown == "## Exercise 2.1\n\n:::{dropdown} The way there\nThe outer tap.\n:::\n"
    for path in (PROJECT / "notebooks" / "solutions").glob("*.ipynb"):
        answers = [cell for cell in page(path) if "def my_" in "".join(cell["source"])]
        assert answers and all("hide-cell" in cell["metadata"]["tags"] for cell in answers)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_all_that_a_page_needs(path):
    cells = page(path)
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert "**Predict.**" not in text and "<details>" not in text
    exercises = re.findall(r"^#+ Exercise ((?:\d+|D)\.\d+)", text, re.M)
    links = re.findall(r"\[Solution to exercise (\S+)\]\(solutions/(.+?)#exercise-(d?\d+)\)", text)
    assert sorted(links) == sorted((one, path.name, one.replace(".", "").lower())
                                   for one in exercises)
    pictures = [cell for cell in cells for output in cell.get("outputs", [])
                if "image/png" in output.get("data", {})]
    alts = [cell["metadata"]["mystnb"]["image"]["alt"] for cell in pictures]
    assert alts and all(len(alt) > 20 for alt in alts)
    kind = notebook_pages.EXPLORERS.get(path.stem)
    assert text.count("explorer-box") == (kind is not None)


def test_a_repository_brings_links_to_where_a_notebook_runs():
    assert "Colab" not in notebook_pages.downloads("notebooks/05_aspp", "")
    line = notebook_pages.downloads("notebooks/05_aspp", "someone/deeplab")
    assert "github/someone/deeplab/blob/main/notebooks/05_aspp.ipynb" in line
    assert "pip install git+https://github.com/someone/deeplab" in line


def test_a_downloaded_notebook_installs_the_course_where_it_is_missing(monkeypatch):
    notebook = json.loads(LESSONS[0].read_text(encoding="utf-8"))
    made = notebook_pages.with_installation(notebook, "someone/deeplab")
    assert [cell["cell_type"] for cell in made["cells"][:2]] == ["markdown", "code"]
    assert made["cells"][2:] == notebook["cells"][1:]
    from IPython.core.inputtransformer2 import TransformerManager
    source = TransformerManager().transform_cell(made["cells"][1]["source"])
    run = []
    shell = SimpleNamespace(system=run.append, run_line_magic=lambda *words: run.append(words))
    exec(source, {"get_ipython": lambda: shell})
    assert run == []  # it is installed here
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    exec(source, {"get_ipython": lambda: shell})
    assert run[0].endswith("https://github.com/someone/deeplab course") and len(run) == 3
    assert sys.path[0] == "course"


def test_the_code_of_a_report_is_folded():
    cells = [cell for cell in page(PROJECT / "notebooks/report.ipynb")
             if cell["cell_type"] == "code"]
    assert all(cell["metadata"]["tags"].count("hide-input") == 1 for cell in cells)


def test_every_public_name_of_the_method_has_its_page():
    made = method_pages.pages(PROJECT / "deeplab")
    assert set(made) == {"index.md", "model.md", "data.md", "training.md", "evaluation.md"}
    assert made["index.md"].count("](") == 17
    assert "{py:function} field_of_view(kernel_size: int, rate: int) -> int" in made["model.md"]
    assert "{py:class} ASPP(" in made["model.md"] and "self" not in made["model.md"].partition(
        "{py:class} ASPP(")[2].partition("\n")[0]
    assert ">>> field_of_view(3, 1)" in made["model.md"]


def test_a_docstring_keeps_its_signs():
    assert method_pages.text("Rates (N, *) of `conv_bn`, <1> and $2.") == (
        "Rates (N, \\*) of `conv_bn`, \\<1\\> and \\$2.\n")
    assert method_pages.text("See:\n\n>>> 1 + 1\n2") == "See:\n\n```pycon\n>>> 1 + 1\n2\n```\n"


def test_the_map_of_the_first_page_has_every_lesson():
    lines = build.lesson_table().splitlines()[2:]
    assert len(lines) == len(LESSONS) and all(line.count("|") == 3 for line in lines)
    assert "[5 · ASPP](notebooks/05_aspp.ipynb) | What is left of" in build.lesson_table()
    assert lines[6].startswith("| [D · Going deeper](notebooks/going_deeper.ipynb) |")


def test_a_kept_notebook_names_no_folder_and_no_time():
    cell = {"cell_type": "code", "id": "x", "source": 'results_root = "/tmp/x"\nseed = 0',
            "metadata": {"tags": ["injected-parameters"], "papermill": {"duration": 1}}}
    made = keep.kept({"cells": [cell], "metadata": {"papermill": {"output_path": "/tmp/x"}}})
    assert made["cells"][0]["source"] == "results_root = None\nseed = 0"
    assert "papermill" not in json.dumps(made)


def test_a_kept_report_leads_to_no_run_that_is_not_kept():
    link = '<th>voc <a href="voc_r50_d8/seed0/row.html">seed 0</a> <a href="#x">y</a></th>'
    cell = {"cell_type": "code", "source": "", "metadata": {},
            "outputs": [{"output_type": "display_data", "data": {"text/html": [link]}}]}
    made = keep.kept({"cells": [cell]})["cells"][0]["outputs"][0]["data"]["text/html"]
    assert made == '<th>voc seed 0 <a href="#x">y</a></th>'


def png(pixels):
    """Pixels (H, W, 3) as a PNG file in base64."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def pixels_of(content):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def test_the_pictures_of_a_large_notebook_are_made_smaller_and_no_label_changes(monkeypatch):
    rng = np.random.default_rng(0)
    photo = rng.integers(100, 140, (60, 80, 3), np.uint8)
    label = rng.integers(0, 2, (60, 80, 1), np.uint8).repeat(3, 2) * 255
    strip = (f'<p class="strip-title">{{}}</p>\n<div class="strip" tabindex="0"><figure>'
             f'<img src="data:image/png;base64,{png(photo)}" alt="the image">'
             f'<img src="data:image/png;base64,{png(label)}" alt="the truth"></figure></div>')
    page = "\n".join(["<h3>VOC</h3>", strip.format("The image on which they differ most"),
                      strip.format("Another image: 3 points"), "<h3>Context</h3>"])
    ramp = np.linspace(0, 255, 240).astype(np.uint8)[None, :, None].repeat(9, 0).repeat(3, 2)
    made = {"cells": [{"cell_type": "code", "source": "", "metadata": {}, "outputs": [
        {"data": {"text/html": page}}, {"data": {"image/png": png(ramp)}}]}]}
    before = keep.text_of(made)
    assert json.loads(before) == made  # a small notebook stays as it is
    monkeypatch.setattr(keep, "LARGEST", 100)
    after = keep.text_of(made)
    assert len(after) < len(before) / 2
    html, figure = (output["data"] for output in json.loads(after)["cells"][0]["outputs"])
    html = html["text/html"]
    assert "Another image" not in html and html.count("<img ") == 2 and "Context</h3>" in html
    (shown,) = re.findall(r'data:image/jpeg;base64,([^"]+)" alt="the image"', html)
    assert np.abs(pixels_of(shown).astype(int) - photo).mean() < 12
    (exact,) = re.findall(r'data:image/png;base64,([^"]+)" alt="the truth"', html)
    assert (pixels_of(exact) == label).all()
    drawn = pixels_of(figure["image/png"])
    assert len(np.unique(drawn)) <= keep.COLOURS and np.abs(drawn.astype(int) - ramp).max() <= 8


def test_the_committed_examples_are_not_much_larger_than_a_lesson():
    for path in (PROJECT / "results/example").glob("*.ipynb"):
        assert path.stat().st_size <= 1.1 * keep.LARGEST, path.name


def test_the_papers_tables_are_a_page_where_they_are_committed(tmp_path):
    assert build.paper_page(tmp_path) == "" == build.figures(tmp_path)
    folder = tmp_path / "results/example/paper"
    (folder / "figures").mkdir(parents=True)
    (folder / "page.md").write_text("# The paper's own tables\n")
    (folder / "figures/effects.png").write_bytes(b"")
    assert build.paper_page(tmp_path) == "results/example/paper/index"
    assert re.fullmatch(r"## What .+\n\n!\[.{30,}\]\(figures/effects.png\)", build.figures(folder))


def test_every_committed_figure_has_its_place_on_a_page():
    for path in (PROJECT / "results/example").rglob("figures/*.png"):
        assert path.stem in build.FIGURES, path


def test_the_rate_explorer_compares_with_the_package():
    from deeplab.course.atrous.explorer import MAX_RATE, Kernel
    from deeplab.course.atrous.figures import drawn_picture
    content, picture = stored("rates"), drawn_picture()
    assert [content["height"], content["width"]] == list(picture.shape[:2])
    assert content["maxRate"] == MAX_RATE and len(content["examples"]) >= 6
    for example in content["examples"]:
        assert Kernel(*example["kernel"]).sentence(picture) == example["sentence"]
    assert (np.asarray(Image.open(SITE / "explorers" / "rates.png")) == picture).all()


def test_the_front_page_shows_the_world_as_it_is_drawn_now():
    from deeplab.course.quick import demo_experiment
    from deeplab.figures.plots import drawn
    kept = np.asarray(Image.open(SITE / "pages" / "opening.png"), int)
    now = np.asarray(drawn(export.opening(demo_experiment("voc_r50_d16").eval_set)), int)
    assert kept.shape == now.shape  # fonts may differ a little, pictures not
    assert np.abs(kept - now).mean() < 3


def test_the_table_explorer_has_the_packages_scores_and_costs():
    from deeplab.course.whole_table import explorer
    from deeplab.table.rows import load_rows
    content, rows, costs = stored("table"), load_rows(), explorer.costs()
    assert [line["id"] for line in content["rows"]] == list(rows)
    for line in content["rows"]:
        assert line["miou"] == rows[line["id"]].published_miou
        for axis in explorer.AXES:
            assert line[axis] == pytest.approx(costs[line["id"]][axis], rel=1e-6), line["id"]
    for example in content["examples"]:
        view = explorer.View(*(tuple(example[key]) for key in ("axes", "datasets", "backbones",
                                                               "strides")))
        assert view.sentence() == example["sentence"]


def test_the_mixer_shows_what_the_package_predicts():
    from deeplab.course.aspp import mixer
    from deeplab.course.quick import demo_experiment, trained_demo_model
    content = stored("mixer")
    experiment = demo_experiment("voc_r50_d16")
    model = trained_demo_model("voc_r50_d16", steps=content["steps"])
    assert content["branches"] == mixer.branch_names(model.aspp)
    for image, mix in ((content["images"][0], 31), (content["images"][0], 15),
                       (content["images"][2], 5)):
        on = [bool(mix >> index & 1) for index in range(5)]
        _, miou = mixer.mixed_prediction(experiment, model, image["number"], on)
        assert image["miou"][mix] == pytest.approx(miou, abs=0.3)


def test_the_explorers_are_small():
    sizes = [path.stat().st_size for path in (SITE / "explorers").iterdir()]
    assert sum(sizes) < 500_000
