"""Fixtures for the tests of deeplab.data."""

import pytest
from dataset_trees import Tree


@pytest.fixture
def make_tree(tmp_path):
    """`make_tree(name, below="")`: a dataset in its native tree, somewhere in tmp_path."""
    return lambda name, below="": Tree(name, tmp_path / below)
