"""As a new user does it: prepare, verify, run at small, evaluate a converted file, predict.

The archives are stand-ins of the real structure, served on 127.0.0.1; Cityscapes' are given,
as its users must.
"""

import json

import pytest
import stand_ins
from bad_server import serving_folder
from click.testing import CliRunner
from PIL import Image

from deeplab.cli.main import main
from deeplab.data.catalog import get_dataset
from deeplab.data.images import read_label
from deeplab.prepare import prepare as preparing
from deeplab.prepare.prepare import prepare

STEPS = 2
SLOW = [pytest.param(name, marks=pytest.mark.slow)
        for name in ("ade20k", "cityscapes", "context", "context59")]


def deeplab(*words):
    """What a command prints; it must end well."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("name", ["voc", *SLOW])
def test_from_archives_to_a_labelled_photograph(tmp_path, monkeypatch, name):
    data, results, row = tmp_path / "data", tmp_path / "results", f"{name}_r50_d8"
    archives = stand_ins.write_stand_ins(name, tmp_path / "archives")
    with serving_folder(archives) as address:
        source = stand_ins.stand_in_source(name, archives, address)
        monkeypatch.setattr(preparing, "get_source", lambda asked: source)
        given = archives if name == "cityscapes" else None
        prepare(name, data, archives=given, local_http=True, say=lambda text: None)
    assert "0 problems" in deeplab("data", "verify", name, "--part", "--data-root", data)

    options = ("--data-root", data, "--results", results)
    printed = deeplab("run", row, "--profile", "small", "--max-steps", STEPS, *options)
    assert "on 3 images after 2 of 500 steps" in printed
    folder = results / "small" / row / "seed0"
    result = json.loads((folder / "result.json").read_text())

    theirs = tmp_path / "theirs.pth"
    deeplab("weights", "convert", folder / f"checkpoints/step-{STEPS:07d}.pt", theirs, "--row", row,
            "--to", "sssegmentation")
    deeplab("evaluate", row, "--weights", theirs, "--profile", "small", *options)
    (again,) = (results / "small" / row).glob("evaluated-*.json")
    assert json.loads(again.read_text())["miou"] == result["miou"]

    photo = tmp_path / "photo.jpg"
    Image.effect_noise((150, 110), 60).save(photo)
    deeplab("predict", photo, "--weights", theirs, "--row", row, "--profile", "small",
            "--out", tmp_path / "out")
    label = read_label(tmp_path / "out/photo_label.png", get_dataset(name))
    assert label.shape == (110, 150)
