"""What `deeplab.runs.notebook` does beside executing, which test_run_row.py tries."""

import subprocess
import sys

import pytest

from deeplab.runs.notebook import without_module

SCRIPT = """
import sys
from deeplab.runs.notebook import without_module
with without_module("rfc3987_syntax"):
    import papermill
assert "rfc3987_syntax" not in sys.modules
import nbformat
notebook = nbformat.v4.new_notebook()
nbformat.validate(notebook)
notebook.cells.append({"cell_type": "nonsense"})
try:
    nbformat.validate(notebook)
except nbformat.ValidationError:
    print("validated")
"""


def test_papermill_comes_without_the_grammar_and_still_validates_notebooks():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True,
                          check=True)
    assert done.stdout == "validated\n"


def test_a_module_is_left_out_inside_and_can_be_had_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with without_module("this"), pytest.raises(ImportError):
        import this  # noqa: F401
    assert "this" not in sys.modules


def test_a_module_that_is_there_already_stays():
    with without_module("subprocess"):
        assert sys.modules["subprocess"] is subprocess
    assert sys.modules["subprocess"] is subprocess
