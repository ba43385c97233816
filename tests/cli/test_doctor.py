"""The doctor reports what is there and what to do about what is not."""

import pytest

from deeplab.cli import doctor
from deeplab.miniature.twins import miniature


def findings(tmp_path, data_root=None):
    return {item.name: item for item in doctor.examine(data_root or tmp_path, tmp_path / "new")}


def test_everything_this_environment_needs_is_found(tmp_path):
    found = findings(tmp_path)
    assert not any(found[name].do for name in ("python", *doctor.FLOORS))


def test_a_missing_dataset_comes_with_the_command_that_fetches_it(tmp_path):
    item = findings(tmp_path)["dataset voc"]
    assert item.found == f"not in {tmp_path}" and "deeplab data prepare voc" in item.do


def test_a_dataset_that_is_there_is_named_with_its_splits(tmp_path):
    item = findings(tmp_path, miniature("voc"))["dataset voc"]
    assert item.found.endswith("splits train, trainaug, val") and not item.do


def test_an_old_library_is_to_be_updated(tmp_path, monkeypatch):
    monkeypatch.setitem(doctor.FLOORS, "papermill", (99, 1))
    assert findings(tmp_path)["papermill"].do == "install 99.1 or newer"


def test_a_full_disk_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1e8}))
    assert "free 2 GB" in findings(tmp_path)["disk for results"].do


@pytest.mark.parametrize("package", ["no-such-package"])
def test_a_missing_library_is_named(package):
    assert doctor._library(package, (1,)).found == "missing"
