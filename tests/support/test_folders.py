"""Where things lie in a clone, and what an installation without one says."""

import pytest

from deeplab.report.report import Report
from deeplab.runs.batch import run_rows
from deeplab.runs.config import RunConfig
from deeplab.runs.run_row import run_row
from deeplab.support import folders
from deeplab.support.errors import UsageError
from deeplab.support.folders import check_clone, data_folder, results_folder


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package without its project; one stands in another folder."""
    monkeypatch.setattr(folders, "PROJECT", tmp_path / "site-packages")
    for name in folders.FOLDERS:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def test_a_clone_has_its_notebooks():
    check_clone()
    assert data_folder().is_relative_to(folders.PROJECT) or "DEEPLAB_DATA" in folders.os.environ


def test_without_a_clone_nothing_lies_among_the_packages(installed):
    assert data_folder() == installed / "here/data"
    assert results_folder() == installed / "here/results"


def test_runs_and_reports_need_a_clone_and_say_so_before_they_write(installed):
    config = RunConfig.of(row_id="voc_r50_d8")
    for work in (lambda: run_row(config), lambda: run_rows([config], jobs=1),
                 lambda: Report.make(results_folder(), "demo")):
        with pytest.raises(UsageError, match="E-CLONE(?s:.*)clone the project and install it"):
            work()
    assert not any((installed / "here").iterdir())
