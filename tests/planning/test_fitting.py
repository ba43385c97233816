"""Out of memory: what was planned, what the card has, and which options fit by the plan."""

import re

import pytest
import torch
from click.testing import CliRunner

from deeplab.cli.main import main
from deeplab.planning import fitting
from deeplab.planning.fitting import advice, with_options
from deeplab.planning.memory import GIB
from deeplab.planning.plan import USABLE, step_memory
from deeplab.runs import run_row
from deeplab.runs.config import RunConfig
from deeplab.support.errors import ResourceError

ROW = "voc_r50_d8"
OOM = ResourceError.of("E-OOM", "not enough memory for a step of 16 images", found="CUDA error")


@pytest.mark.parametrize("gigabytes", [6, 12])
def test_each_option_that_is_named_fits_and_the_fewest_gpus_are_named(gigabytes):
    config, room = RunConfig.of(row_id=ROW, profile="full"), USABLE * gigabytes * GIB
    planned, fits = advice(config, gigabytes * GIB).splitlines()
    needed = step_memory(config).total / GIB
    assert planned == (f"  plan: a step takes {needed:.1f} GiB of the {gigabytes:.1f} GiB "
                       "there are")
    count = int(re.search(r"--gpus (\d+)", fits)[1])
    sizes = {gpus: step_memory(RunConfig.of(row_id=ROW, profile="full", gpus=gpus)).total
             for gpus in (2, 4, 8, 16)}
    assert count == min(gpus for gpus, size in sizes.items() if size <= room)
    assert f"--gpus {count} ({sizes[count] / GIB:.1f} GiB)" in fits
    for words, taken in fitting.fitting(config, gigabytes * GIB):
        assert words in fits and taken <= room


def test_where_nothing_fits_or_the_step_should_have_this_is_said():
    config = RunConfig.of(row_id=ROW, profile="full")
    assert "take a larger GPU" in advice(config, GIB // 4)
    assert "another process may hold memory" in advice(config, 200 * GIB)


def test_the_command_adds_what_fits_to_the_error(monkeypatch):
    def fails(config, again):
        raise OOM
    monkeypatch.setattr(run_row, "run_row", fails)
    monkeypatch.setattr(fitting, "device_of", lambda config: "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_properties",
                        lambda index: type("Facts", (), {"total_memory": 12 * GIB}))
    done = CliRunner().invoke(main, ["run", ROW, "--profile", "full"])
    assert done.exit_code == 5 and done.output.startswith("E-OOM not enough memory")
    assert "plan: a step takes" in done.output and "would fit: --gpus" in done.output


@pytest.mark.parametrize("error, device", [
    (OOM, "cpu"), (ResourceError.of("E-DISK", "no space"), "cuda")])
def test_other_errors_and_the_cpu_stay_as_they_are(monkeypatch, error, device):
    monkeypatch.setattr(fitting, "device_of", lambda config: device)
    assert with_options(error, RunConfig.of(row_id=ROW)) is error
