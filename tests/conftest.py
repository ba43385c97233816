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
