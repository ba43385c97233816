"""What a learner does in JupyterLab: run, move explorers, solve, restart, save, stop, go on."""

import json
import re
import time

import pytest
from lab import Lab, git, printed, serving

WRONG = '''def my_padding(kernel_size: int, rate: int) -> int:
    return kernel_size // 2
'''
RIGHT = '''def my_padding(kernel_size: int, rate: int) -> int:
    return rate * (kernel_size // 2)
'''
ROW = '''row_id = "voc_r50_d16"
results_root = {folder!r}
max_steps = 40
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lab") / "notebooks"


@pytest.fixture(scope="module")
def address(chromium, python, folder):
    folder.mkdir()
    with serving(python, folder) as found:
        yield found


@pytest.fixture
def opened(chromium, address):
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    yield lambda name: Lab(context.new_page(), address, name)
    context.close()


def test_what_was_only_read_is_saved_as_it_was(opened, folder):
    lab = opened("03_output_stride.ipynb")
    before = (folder / "03_output_stride.ipynb").stat().st_mtime_ns
    lab.page.keyboard.press("Control+s")
    end = time.monotonic() + 30
    while (folder / "03_output_stride.ipynb").stat().st_mtime_ns == before:
        assert time.monotonic() < end, "nothing was saved"
        time.sleep(0.2)
    assert git(folder, "status", "--porcelain", "--untracked-files=no") == ""


def test_lesson_0_runs_without_a_word_on_stderr_and_its_viewer_answers(opened):
    lab = opened("00_start_here.ipynb")
    index = lab.find("overlay.explore(")
    lab.write(index, "".join(lab.cells()[index]["source"]).replace("= False", "= True"))
    lab.menu("Run", "Run All Cells")
    lab.page.wait_for_timeout(1000)
    lab.wait()
    for cell in lab.cells():
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output["text"]
            tags = cell["metadata"].get("tags", [])
            assert output["output_type"] != "error" or "raises-exception" in tags
        assert cell["cell_type"] != "code" or cell["execution_count"]
    assert "not attempted yet" in printed(lab.cells()[lab.find("check_class_share(")])
    frame = lab.output(index).frame_locator("iframe")
    frame.locator("button", has_text="prediction").click()
    lab.page.keyboard.press("e")
    assert frame.locator("#layers button[aria-pressed=true]").inner_text() == "errors"


def test_lesson_2_explorer_exercise_and_restart(opened):
    lab = opened("02_atrous_convolution.ipynb")
    index = lab.find("explorer.explore(")
    lab.run_above(index)
    lab.write(index, "".join(lab.cells()[index]["source"]).replace("= False", "= True"))
    lab.run(index)
    shown = lab.output(index)
    assert "rate 6: 9 of 9 taps inside" in shown.inner_text(), "the still picture's caption"
    frame = shown.frame_locator("iframe")
    frame.locator("#rate").press("ArrowRight")
    assert "rate 7: 9 of 9 taps inside" in frame.locator("#said").inner_text()
    frame.locator("#view").click(position={"x": 5, "y": 5})
    assert "rate 7: 4 of 9 taps inside" in frame.locator("#said").inner_text()
    frame.locator("#view").press("ArrowRight")
    frame.locator("button", has_text="output stride 8").click()
    assert "Output stride 8, rate 7: 4 of 9" in frame.locator("#said").inner_text()
    solve, check = lab.find("def my_padding"), lab.find("check_same_padding")
    for answer, verdict in ((WRONG, "not yet"), (RIGHT, "correct")):
        lab.write(solve, answer)
        lab.run(solve)
        assert f"Exercise 2.1: {verdict}" in lab.run(check)
    lab.menu("Kernel", "Restart Kernel…")
    lab.page.locator(".jp-Dialog button.jp-mod-accept").click()
    lab.page.wait_for_timeout(1000)
    lab.wait()
    assert lab.run(check) == "NameError"


def test_the_mixer_of_lesson_5_moves(opened):
    lab = opened("05_aspp.ipynb")
    index = lab.find("mixer.explore(")
    lab.run(lab.find("import torch"))
    needed = ("experiment = demo_experiment('voc_r50_d16')\n"
              "model = trained_demo_model('voc_r50_d16', steps=340)")
    source = "".join(lab.cells()[index]["source"]).replace("= False", "= True")
    lab.write(index, f"{needed}\n{source}")
    lab.run(index)
    shown = lab.output(index)
    picture = shown.locator(".widget-image, img.jupyter-widgets").first
    before = picture.get_attribute("src")
    shown.get_by_role("button", name="rate 1: on").click()
    lab.page.wait_for_function(
        "before => [...document.querySelectorAll('img')].every(image => image.src !== before)",
        arg=before)
    assert picture.get_attribute("src") != before


def test_the_explorer_of_lesson_12_moves(opened):
    lab = opened("12_the_whole_table.ipynb")
    index = lab.find("explorer.explore(")
    lab.run(lab.find("import numpy"))
    lab.write(index, "explorer.explore(interactive=True)")
    lab.run(index)
    shown = lab.output(index)
    assert "16 of 16 rows" in shown.inner_text()
    shown.get_by_role("button", name="parameters").click()
    lab.page.wait_for_function("text => document.body.innerText.includes(text)",
                               arg="times the parameters")
    count = len(lab.cells())
    shown.get_by_role("button", name="voc: on").focus()
    lab.page.keyboard.press("Space")
    shown.get_by_role("button", name="voc: off").wait_for()
    lab.page.wait_for_function("text => document.body.innerText.includes(text)",
                               arg="12 of 16 rows")
    assert len(lab.cells()) == count  # the key was the button's, not the notebook's


def test_a_row_is_interrupted_and_goes_on(opened, tmp_path):
    lab = opened("row.ipynb")
    parameters, train = lab.find("row_id: str"), lab.find("experiment.train()")
    lab.write(parameters, ROW.format(folder=str(tmp_path)))
    lab.run_above(train)
    lab.select(train)
    lab.page.keyboard.press("Control+Enter")
    log = tmp_path / "demo/voc_r50_d16/seed0/log.jsonl"
    end = time.monotonic() + 120
    while not (log.is_file() and '"loss"' in log.read_text("utf-8")):
        assert time.monotonic() < end, "training does not begin"
        time.sleep(0.1)
    lab.menu("Kernel", "Interrupt Kernel")
    lab.wait()
    assert re.search("Interrupt|Stopped", printed(lab.cells()[train]))
    stopped = max(line["step"] for line in map(json.loads, log.read_text("utf-8").splitlines()))
    assert stopped < 40
    assert "Error" not in lab.run(train)
    steps = [line["step"] for line in map(json.loads, log.read_text("utf-8").splitlines())
             if "loss" in line]
    assert steps == sorted(set(steps)) and steps[-1] == 40
