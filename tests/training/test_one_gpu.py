"""Where a GPU is visible, what belongs on the CPU stays there: nothing touches CUDA."""

import os
import subprocess
import sys

import pytest

from deeplab.support.folders import PROJECT

DEMO = """
import sys
from pathlib import Path
import one_gpu
from small_table import draw_twins, quick_rows
from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.runs.facts import outcome_facts
folder = Path(sys.argv[1])
quick_rows()
experiment = Experiment(RunConfig.of(row_id="voc_r50_d16", results_root=folder,
                                     data_root=draw_twins(folder / "data")))
facts = outcome_facts(experiment, experiment.train(), gmacs=1.0)
print(facts["device"], facts["gpu"])
"""
LESSON = """
import json
import matplotlib
matplotlib.use("Agg")
import one_gpu
names = {}
with open("notebooks/solutions/09_training_on_gpus.ipynb", encoding="utf-8") as file:
    cells = json.load(file)["cells"]
for cell in cells:
    if cell["cell_type"] == "code":
        exec("".join(cell["source"]), names)
print("lesson done")
"""


def with_one_gpu(*words):
    """Run Python where a GPU is said to be there; what touches it raises."""
    path = os.pathsep.join([str(PROJECT / "tests" / "helpers"), str(PROJECT)])
    return subprocess.run([sys.executable, *map(str, words)], cwd=PROJECT, text=True,
                          capture_output=True, env=os.environ | {"PYTHONPATH": path}, timeout=900)


def test_the_plugin_finds_out_who_touches_cuda():
    done = with_one_gpu("-c", "import one_gpu, torch; torch.zeros(1, device='cuda')")
    assert "AssertionError: CUDA was touched: _lazy_init" in done.stderr


def test_a_demo_row_is_trained_and_judged_on_the_cpu(tmp_path):
    done = with_one_gpu("-c", DEMO, tmp_path)
    assert done.stdout.splitlines()[-1] == "cpu None", done.stderr


@pytest.mark.slow
def test_lesson_9_runs_to_its_end():
    done = with_one_gpu("-c", LESSON)
    assert done.stdout.endswith("lesson done\n"), done.stderr


@pytest.mark.slow
def test_the_tests_of_training_and_lesson_9_pass():
    """But those of `test_loop.py`, which pretend to have a GPU in a way of their own."""
    done = with_one_gpu("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "one_gpu",
                        "-m", "not slow", "tests/training", "tests/course/gpus",
                        "--ignore", "tests/training/test_loop.py",
                        "--ignore", "tests/training/test_one_gpu.py")
    assert done.returncode == 0, done.stdout
