"""A result is stale when anything it rests on changed, and only then; what changed is named."""

import ast
import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from deeplab.data.catalog import DATASETS
from deeplab.runs import fingerprint as module
from deeplab.runs import begin
from deeplab.runs.config import RunConfig
from deeplab.runs.fingerprint import changed, digest, fingerprint, noted, surroundings
from deeplab.support.errors import DataError

PROJECT = Path(module.__file__).parents[2]
COPIED = ("cli/main.py", "weights/export.py", "prepare/archives.py", "support/signals.py",
          "figures/plots.py", "miniature/pretrained/miniature_resnet50.safetensors",
          *module.DECISIVE)
NOTEBOOK = {"cells": [{"cell_type": "markdown", "source": ["# Title"]},
                      {"cell_type": "code", "source": ["x = 1\n", "x"], "outputs": []}]}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A private copy of some of what a fingerprint reads, to be changed; returns its folder."""
    for name in COPIED:
        (tmp_path / "deeplab" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path(module.__file__).parents[1] / name, tmp_path / "deeplab" / name)
    notebook = tmp_path / "row.ipynb"
    notebook.write_text(json.dumps(NOTEBOOK))
    monkeypatch.setattr(module, "PACKAGE", tmp_path / "deeplab")
    monkeypatch.setattr(module, "NOTEBOOK", notebook)
    return tmp_path


@pytest.fixture
def config(tmp_path):
    return RunConfig.of(row_id="voc_r50_d8", data_root=tmp_path / "data")


def after(change, config, other=None):
    """The parts that differ once `change` has been done, and the run is `other`."""
    before = fingerprint(config)
    change()
    return changed(before, fingerprint(other or config))


def edit(path, old, new):
    """A function that replaces a text in a file."""
    def change():
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return change


def nothing():
    pass


def test_nothing_changed_is_nothing_stale(project, config):
    assert after(nothing, config) == []
    assert all(len(part) == 12 for part in fingerprint(config).values())


def test_seed_and_length_are_no_part_of_it(project, config):
    assert after(nothing, config, dataclasses.replace(config, seed=5, max_steps=3)) == []


def test_a_changed_row_is_named(project, config):
    row = dataclasses.replace(config.row, base_lr=0.02)
    assert after(nothing, config, dataclasses.replace(config, row=row)) == ["row"]


@pytest.mark.parametrize("change, parts", [({"width": 0.2}, ["profile"]),
                                           ({"steps": 7}, ["profile"]),
                                           ({"purpose": "another sentence"}, [])])
def test_a_changed_profile_is_named_but_not_its_description(project, config, change, parts):
    profile = dataclasses.replace(config.profile, **change)
    assert after(nothing, config, dataclasses.replace(config, profile=profile)) == parts


@pytest.mark.parametrize("change, parts", [
    ({"resize": (100, 50)}, ["label set"]), ({"raw_values": (*range(20, -1, -1),)}, ["label set"]),
    ({"ignored": (254,)}, ["label set"]),
    ({"title": "another title"}, []), ({"palette": ((1, 2, 3),) * 21}, [])])
def test_a_changed_label_set_is_named_but_not_its_colours(project, config, monkeypatch, change,
                                                          parts):
    other = dataclasses.replace(DATASETS["voc"], **change)
    assert after(lambda: monkeypatch.setitem(DATASETS, "voc", other), config) == parts


@pytest.mark.parametrize("file, old, new", [
    ("profiles.py", "CROP_MULTIPLE = 8", "CROP_MULTIPLE = 16"),
    ("profiles.py", "round(rate / self.shrink)", "round(rate / 2)"),
    ("training/recipe.py", "MOMENTUM = 0.9", "MOMENTUM = 0.95"),
    ("data/resample.py", "INTER_NEAREST", "INTER_LINEAR"),
    ("data/labelset.py", "table[list(self.label_map)] =", "table[0] ="),
    ("data/layout.py", "ids = sorted(images.paths)", "ids = list(images.paths)"),
    ("runs/experiment.py", "LOG_LINES = 60", "LOG_LINES = 61"),
    ("model/aspp.py", "import torch", "import torch, torch"),
    ("data/augment.py", "import numpy", "import json, numpy"),
    ("evaluation/metrics.py", "import torch", "import json, torch"),
    ("training/recipe.py", "import torch", "import json, torch"),
    ("table/row.py", "BASE_RATES = (6,", "BASE_RATES = (7,")])
def test_changed_code_is_named(project, config, file, old, new):
    assert after(edit(project / "deeplab" / file, old, new), config) == ["code"]


@pytest.mark.parametrize("file, old, new", [
    ("profiles.py", "shrink=3", "shrink=2"),  # another profile than the run's
    ("profiles.py", "CROP_MULTIPLE = 8  #", "CROP_MULTIPLE = 8  # indeed,"),
    ("table/row.py", '"""One row of the table;', '"""A row of the table;'),
    ("model/aspp.py", "import torch", "\n\nimport torch"),
    ("data/images.py", "more than 8 bits per channel", "16 bits per channel"),
    ("runs/config.py", "a crop must fill whole cells", "a crop fills whole cells"),
    ("data/layout.py", "copy or unpack the dataset completely", "unpack it"),
    ("weights/export.py", "import torch", "import json, torch"),
    ("prepare/archives.py", "import tarfile", "import json, tarfile"),
    ("support/signals.py", "import ctypes", "import ctypes, json"),
    ("figures/plots.py", "WIDTH = 9.0", "WIDTH = 8.0"),
    ("cli/main.py", "import sys", "import os, sys")])
def test_wording_layout_and_code_that_decides_nothing_do_not_count(project, config, file, old, new):
    assert after(edit(project / "deeplab" / file, old, new), config) == []


def test_a_touched_file_does_not_count(project, config):
    assert after((project / "deeplab/model/aspp.py").touch, config) == []


@pytest.mark.parametrize("cell, key, value, parts", [
    (1, "source", ["x = 2\n", "x"], ["notebook"]), (1, "source", "x = 1\nx", []),
    (1, "outputs", [{"output_type": "stream"}], []), (0, "source", ["# Better title"], [])])
def test_of_the_notebook_only_its_code_counts(project, config, cell, key, value, parts):
    def change():
        cells = [dict(one) for one in NOTEBOOK["cells"]]
        cells[cell][key] = value
        (project / "row.ipynb").write_text(json.dumps({"cells": cells}))
    assert after(change, config) == parts


def test_another_drawing_of_the_twin_is_named(project, config, monkeypatch):
    def change():
        monkeypatch.setattr(module, "miniature_version", lambda name: f"another {name}")
    assert after(change, config) == ["data"]
    small = RunConfig.of(row_id="voc_r50_d8", profile="small", data_root=config.data_root)
    assert after(change, small) == []


@pytest.fixture
def small(tmp_path):
    """A run on data that were not verified: two images of training, one of validation."""
    for split, count in (("train", 2), ("val", 1)):
        for number in range(count):
            for name in (f"leftImg8bit/{split}/ulm/{number}_leftImg8bit.png",
                         f"gtFine/{split}/ulm/{number}_gtFine_labelIds.png"):
                path = tmp_path / "data/cityscapes" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"a picture")
    return RunConfig.of(row_id="cityscapes_r50_d8", profile="small", data_root=tmp_path / "data")


def looked_at_again(change):
    """`change`, after which files are looked at again."""
    def both():
        change()
        module.file_states.cache_clear()
    module.file_states.cache_clear()
    return both


@pytest.mark.parametrize("name", ["leftImg8bit/train/ulm/1_leftImg8bit.png",
                                  "gtFine/val/ulm/0_gtFine_labelIds.png"])
def test_a_changed_file_of_data_that_were_not_verified_is_named(project, small, name):
    path = small.data_root / "cityscapes" / name
    assert after(looked_at_again(path.read_bytes), small) == []
    assert after(looked_at_again(lambda: path.write_bytes(b"corrected")), small) == ["data"]
    assert after(looked_at_again(lambda: os.utime(path, (1, 1))), small) == ["data"]


def test_files_are_looked_at_once_and_those_of_other_splits_not_at_all(project, small):
    path = small.data_root / "cityscapes/gtFine/val/ulm/0_gtFine_labelIds.png"
    train = module.data_identity(small, "train")
    assert after(lambda: path.write_bytes(b"corrected"), small) == []
    module.file_states.cache_clear()
    assert module.data_identity(small, "train") == train


def test_data_that_are_not_here_are_not_called_changed(project, small):
    assert after(looked_at_again(lambda: shutil.rmtree(small.data_root)), small) == []
    assert fingerprint(small)["data"] is None
    with pytest.raises(DataError, match="E-LAYOUT"):
        module.data_identity(small)


def test_a_new_or_changed_manifest_of_real_data_is_named(project, small, tmp_path):
    manifest = tmp_path / "data/manifest-cityscapes.json"
    assert after(lambda: manifest.write_text("{}"), small) == ["data"]
    assert after(lambda: manifest.write_text('{"a": 1}'), small) == ["data"]


def test_other_weights_to_start_from_are_named(project, config):
    path = project / "deeplab/miniature/pretrained/miniature_resnet50.safetensors"
    assert after(lambda: path.write_bytes(b"others"), config) == ["weights"]
    random = RunConfig.of(row_id="voc_r50_d8", data_root=config.data_root,
                          backbone_weights="none")
    assert after(lambda: path.write_bytes(b"third"), random) == []


@pytest.mark.parametrize("name", ["torch", "torchvision", "numpy", "pillow",
                                  "opencv-python-headless"])
def test_another_version_of_a_library_is_named(project, config, monkeypatch, name):
    def change():
        real = module.version
        monkeypatch.setattr(module, "version", lambda one: "0.0" if one == name else real(one))
    assert after(change, config) == ["libraries"]


def test_a_patch_release_is_noted_and_counts_as_the_same(project, config, monkeypatch):
    versions = {name: "2.5.0+cpu" for name in module.LIBRARIES}
    monkeypatch.setattr(module, "version", versions.get)
    before = surroundings()
    assert after(lambda: versions.update(torch="2.5.1+cu124"), config) == []
    assert noted(before) == ["torch 2.5.0+cpu, now 2.5.1+cu124"]
    assert after(lambda: versions.update(torch="2.6.0"), config) == ["libraries"]


def test_several_changes_are_all_named(project, config):
    other = dataclasses.replace(config, row=dataclasses.replace(config.row, epochs=1))
    change = edit(project / "row.ipynb", "x = 1", "x = 2")
    assert after(change, config, other) == ["row", "notebook"]


def test_every_module_that_a_run_imports_is_decisive_or_known_not_to_be():
    """Whoever adds a module decides here whether it can move a number."""
    harmless = {"data.root", "runs.evidence", "miniature.backbone", "miniature.drawing",
                "miniature.look_alikes", "miniature.mark", "miniature.scenes",
                "miniature.stamp", "miniature.twins",
                "prepare.manifest", "prepare.suspect", "runs.given",
                "runs.launch", "runs.outcome", "runs.parameters", "runs.peak", "runs.records",
                "runs.begin", "runs.fingerprint", "runs.result", "runs.status", "runs.shared",
                "training.checkpoint", "training.failures", "training.runlog",
                "training.signals", "weights.files", "weights.labels", "weights.safety",
                "model.weights", "weights.published", "weights.shipped"}
    imported, waiting = set(), ["deeplab.runs.experiment"]
    while waiting:
        name = waiting.pop()
        path = PROJECT / f"{name.replace('.', '/')}.py"
        if name in imported or not path.exists() or (
                name.startswith("deeplab.support") and not name.endswith((".decode", ".listing"))):
            continue
        imported.add(name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                waiting += [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
    names = {name.removeprefix("deeplab.") for name in imported}
    decisive = {name.removesuffix(".py").replace("/", ".") for name in module.DECISIVE}
    assert len(decisive) == len(module.DECISIVE) and decisive <= names
    assert names - decisive - harmless == set()


def test_a_part_that_an_old_record_does_not_have_counts_as_changed():
    assert changed({"row": "1"}, {"row": "1", "code": "2"}) == ["code"]


def test_a_digest_sees_values_and_not_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})


def test_a_run_looks_at_its_files_again_when_it_ends(small):
    before = begin.current_mark(small)
    (small.data_root / "cityscapes/gtFine/val/ulm/0_gtFine_labelIds.png").write_bytes(b"corrected")
    assert changed(before, begin.current_mark(small)) == ["data"]


def test_surroundings_name_the_gpu_and_its_settings_and_none_on_a_cpu(monkeypatch):
    names = ("gpu", "cuda", "cudnn", "tf32")
    assert [surroundings("cpu")[name] for name in names] == [None] * 4
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    monkeypatch.setattr(torch.version, "cuda", "12.4")
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 90100)
    facts = surroundings("cuda")
    assert [facts[name] for name in names[:3]] == ["Tesla V100", "12.4", 90100]
    assert facts["tf32"] == {"training": True, "evaluation": False}


def test_surroundings_name_versions_machine_and_commit(tmp_path, monkeypatch):
    assert {"torch", "numpy", "python", "machine", "commit", "dirty"} <= surroundings().keys()
    monkeypatch.setattr(module, "PROJECT", tmp_path)
    outside = surroundings()
    assert outside["commit"] is None and outside["dirty"] is None
