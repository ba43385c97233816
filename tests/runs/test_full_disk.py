"""Twenty sizes of a full disk, four writers: what was there stays, and the error says so."""

import json
import math

import nbformat
import papermill
import pytest
import torch
from limits import file_size_limit
from papermill.iorw import write_ipynb

from deeplab.runs import begin, run_row
from deeplab.runs.config import RunConfig
from deeplab.runs.notebook import publish_notebook
from deeplab.support.errors import ResourceError
from deeplab.support.files import JsonLines, atomic_write, write_json
from deeplab.training.checkpoint import Checkpoints

SHARES = [*(number / 19 for number in range(19)), 0.999]  # of the size that would be needed


class Result:
    """`result.json` and every other small file."""

    def __init__(self, folder):
        self.path = folder / "result.json"

    def write(self, number):
        write_json(self.path, {"miou": number, "class_iou": ["x" * 30] * 200})

    def content(self):
        return json.loads(self.path.read_text())["miou"]


class Checkpoint:
    """A checkpoint and its manifest."""

    def __init__(self, folder):
        self.checkpoints, self.path = Checkpoints(folder, {}), folder / "step-0000001.pt"

    def write(self, number):
        self.checkpoints.save(number, {"model": torch.full((9000,), float(number))})

    def content(self):
        return int(self.checkpoints.load()["model"][0])


class Log:
    """The log that grows; a line that did not fit is cut off when the run goes on."""

    def __init__(self, folder):
        self.path = folder / "log.jsonl"

    def write(self, number):
        log = JsonLines(self.path, size=self.path.stat().st_size if number > 1 else 0)
        try:
            log.write(step=number, class_iou=["x" * 30] * 200)
        finally:
            log.close()

    def content(self):
        return json.loads(self.path.read_text().splitlines()[0])["step"]


class Notebook:
    """The executed notebook, of which papermill writes the draft."""

    def __init__(self, folder):
        self.config = RunConfig.of(row_id="voc_r50_d8", results_root=str(folder))
        self.path = self.config.folder / "notebook.ipynb"
        self.config.folder.mkdir(parents=True)

    def write(self, number):
        cells = [nbformat.v4.new_markdown_cell("x" * 5000), nbformat.v4.new_code_cell(str(number))]
        whole = nbformat.v4.new_notebook(cells=cells)
        papermill.execute_notebook = lambda path, draft, *more, **options: write_ipynb(whole, draft)
        run_row._run_notebook(self.config, {})

    def content(self):
        return int(nbformat.read(self.path, as_version=4).cells[-1].source)


@pytest.fixture(autouse=True)
def no_other_reason(monkeypatch):
    monkeypatch.setattr(begin, "fingerprint", lambda config: {})
    monkeypatch.setattr(papermill, "execute_notebook", None)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("writer", [Result, Checkpoint, Log, Notebook])
def test_on_a_full_disk_the_old_file_stays_and_the_error_says_so(tmp_path, writer, share):
    files = writer(tmp_path)
    files.write(1)
    size, before = files.path.stat().st_size, sorted(tmp_path.rglob("*"))
    needed = size + (writer is Log) * size  # a log must hold the line after the old one
    with file_size_limit(math.floor(share * needed)), pytest.raises(ResourceError) as caught:
        files.write(2)
    assert str(caught.value).startswith("E-DISK no space to write ")
    assert "MB free" in str(caught.value) and caught.value.exit_code == 5
    assert files.content() == 1 and sorted(tmp_path.rglob("*")) == before


def test_a_draft_that_was_cut_never_becomes_the_notebook(tmp_path):
    atomic_write(tmp_path / "draft", '{"cells": [')
    publish_notebook(tmp_path / "draft", tmp_path / "notebook.ipynb")
    assert not list(tmp_path.iterdir())
