"""Loader processes give the same batches however they are started, as each system does it."""

import multiprocessing

import pytest
import torch
from toy_training import CROP, SIZE, ToySet, toy_settings

from deeplab.data.augment import TrainTransform
from deeplab.data.sampling import TrainSamples
from deeplab.training.loop import batches


@pytest.fixture
def start_method():
    """`start_method(name)`: how the processes are started that come next."""
    before = multiprocessing.get_start_method()
    yield lambda name: multiprocessing.set_start_method(name, force=True)
    multiprocessing.set_start_method(before, force=True)


def taken(workers):
    """The first three batches, from step 5 on, of a set of pictures."""
    samples = TrainSamples(ToySet(), TrainTransform(target=(SIZE, SIZE), crop_height=CROP,
                                                    crop_width=CROP), seed=3)
    settings = toy_settings(workers=workers, stop_step=8)
    return list(batches(samples, settings, start_step=5))


def test_spawned_and_forked_loaders_give_the_batches_of_none(start_method):
    """Linux forks; macOS and Windows spawn, for which all that a loader needs is pickled."""
    wanted = taken(workers=0)
    assert len(wanted) == 3
    for name in ("fork", "spawn"):
        start_method(name)
        for ours, theirs in zip(taken(workers=1), wanted, strict=True):
            assert torch.equal(ours[0], theirs[0]) and torch.equal(ours[1], theirs[1]), name
