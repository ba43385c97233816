"""For every test: servers on 127.0.0.1 are asked directly, whatever proxy the machine has; GPUs are hidden."""

import os

import pytest
from dataset_trees import Tree

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # tests mean the CPU, also where there is a GPU


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def make_tree(tmp_path):
    """`make_tree(name, below="")`: a dataset in its native tree, somewhere in tmp_path."""
    return lambda name, below="": Tree(name, tmp_path / below)
