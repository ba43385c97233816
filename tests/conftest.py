"""For every test: no proxy for servers on 127.0.0.1, whatever the machine has; GPUs are hidden."""

import os
from pathlib import Path

import pytest
from dataset_trees import Tree


def pytest_configure(config):
    """Tests mean the CPU, also where there is a GPU; only those of a GPU, run alone, see it."""
    if not all("gpu" in Path(word.partition("::")[0]).parts for word in config.args):
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def make_tree(tmp_path):
    """`make_tree(name, below="")`: a dataset in its native tree, somewhere in tmp_path."""
    return lambda name, below="": Tree(name, tmp_path / below)


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    """The twins of the small table, which no test changes; drawn once per process."""
    from small_table import draw_twins
    return draw_twins(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def references(data_root, tmp_path_factory):
    """The digest of an undisturbed run of each row of the small table."""
    from small_table import reference_digests
    return reference_digests(tmp_path_factory.mktemp("reference"), data_root)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A Dask scheduler and its workers, one thread for each of two rows."""
    from dask_machine import DaskMachine

    from deeplab.runs import cluster
    monkeypatch.setattr(cluster, "core_count", lambda: 2)
    machine = DaskMachine(tmp_path)
    yield machine
    machine.end()
