"""Native Windows, emulated: no fcntl, no resource, no SIGUSR1. What cannot work says so."""

import os
import subprocess
import sys

from deeplab.support.folders import PROJECT

WITHOUT = """
import signal, sys
for name in ("fcntl", "resource"):
    sys.modules[name] = None
for name in ("SIGUSR1", "SIGHUP"):
    delattr(signal, name)
"""
LESSON = """
import json
import matplotlib
matplotlib.use("Agg")
names = {}
with open("notebooks/solutions/02_atrous_convolution.ipynb", encoding="utf-8") as file:
    notebook = json.load(file)
for cell in notebook["cells"]:
    if cell["cell_type"] == "code":
        exec("".join(cell["source"]), names)
print("lesson done")
"""
MODULES = """
import importlib, pathlib
for path in sorted(pathlib.Path("deeplab").rglob("*.py")):
    if path.stem not in ("__main__", "worker"):  # of Dask, whose Linux code needs resource
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        importlib.import_module(name)
print("all imported")
"""


def on_windows(code):
    return subprocess.run([sys.executable, "-c", WITHOUT + code], cwd=PROJECT, text=True,
                          capture_output=True, timeout=300,
                          env=os.environ | {"PYTHONPATH": str(PROJECT)})


def test_lesson_2_runs_to_its_end_and_every_module_is_imported():
    done = on_windows(LESSON + MODULES)  # one process, for PyTorch takes two seconds to import
    assert done.stdout.endswith("lesson done\nall imported\n"), done.stderr


def test_what_needs_locks_says_so_in_one_sentence(tmp_path):
    done = on_windows(f"""
from deeplab.cli.main import main
main(["run", "voc_r50_d8", "--results", {str(tmp_path)!r}])
""")
    assert done.returncode == 5 and "WSL2" in done.stderr, done.stderr
    assert done.stderr.startswith("E-LOCK this system has no locks of files")
    assert "Traceback" not in done.stderr
