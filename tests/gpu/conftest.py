"""The tests of a GPU: skipped without one; what they measured becomes a page to send back.

`make test-gpu` runs them. DEEPLAB_TEST_DEVICE=cpu runs the same code on the CPU, which shows
that the tests themselves work; the page then says so.
"""

import os
import platform

import pytest
import torch

from deeplab.runs.config import RunConfig
from deeplab.runs.experiment import Experiment
from deeplab.support.cuda import driver_version
from deeplab.support.files import atomic_write
from deeplab.support.folders import PROJECT

DEVICE = os.environ.get("DEEPLAB_TEST_DEVICE", "cuda")
PAGE = PROJECT / "results" / f"gpu-tests-{DEVICE}.md"
MEASURED: dict[str, list[str]] = {}
OUTCOMES: list[tuple[str, str]] = []


def pytest_collection_modifyitems(items):
    if DEVICE == "cuda" and not torch.cuda.is_available():
        for item in items:
            if "gpu" in item.path.parts:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device that torch can use"))


@pytest.fixture
def measured(request):
    """`measured(text)`: a line of the page under the name of the test."""
    return MEASURED.setdefault(request.node.name, []).append


@pytest.fixture(scope="session")
def twins(tmp_path_factory):
    """The folder in which twins are drawn, once for all tests."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def experiment(tmp_path, twins):
    """`experiment(row_id, …)`: a demo run of a row on the device, its results in tmp_path."""
    def made(row_id="voc_r50_d16", below="", **given):
        return Experiment(RunConfig.of(row_id=row_id, profile="demo", data_root=twins,
                                       results_root=tmp_path / below, device=DEVICE, **given))
    return made


def pytest_runtest_logreport(report):
    is_last = report.when == "call" or report.outcome != "passed"
    if is_last and "gpu/" in report.nodeid:
        OUTCOMES.append((report.nodeid.rpartition("::")[2], report.outcome))


def pytest_sessionfinish():
    if any(outcome != "skipped" for _, outcome in OUTCOMES):
        atomic_write(PAGE, page())


def page() -> str:
    """The machine, and each test with its outcome and what it measured, as Markdown."""
    card = torch.cuda.get_device_name() if DEVICE == "cuda" else f"none: run on {DEVICE}"
    lines = [f"# Tests of a GPU: {card}", "",
             f"- {torch.cuda.device_count()} GPUs, driver for CUDA {driver_version() / 1000:.2f}",
             f"- torch {torch.__version__}, CUDA {torch.version.cuda}, "
             f"cuDNN {torch.backends.cudnn.version()}",
             f"- Python {platform.python_version()}, {platform.platform()}", "",
             "| test | outcome | measured |", "|---|---|---|"]
    return "\n".join(lines + [f"| {name} | {outcome} | {'; '.join(MEASURED.get(name, []))} |"
                              for name, outcome in OUTCOMES]) + "\n"
