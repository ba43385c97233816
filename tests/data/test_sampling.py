"""Order and augmentation are functions of the seed: no state, no replay, no rank left out."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from deeplab.data.augment import TrainTransform
from deeplab.data.catalog import SegmentationDataset
from deeplab.data.sampling import EpochBatches, TrainSamples, epoch_order, sample_rng
from deeplab.support.errors import DataError, UsageError


def batches(*, num_images=11, batch_size=4, seed=0, start_step=0, total_steps=7, rank=0, world=1):
    return EpochBatches(num_images=num_images, batch_size=batch_size, seed=seed, rank=rank,
                        start_step=start_step, total_steps=total_steps, world=world)


def test_the_order_of_an_epoch_is_a_permutation_of_its_own():
    orders = [epoch_order(seed, epoch, 50).tolist() for seed in (0, 1) for epoch in (0, 1)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4
    assert epoch_order(0, 1, 50).tolist() == orders[1]


def test_the_order_is_the_one_that_is_promised():
    """A change of these numbers would break every run that is resumed."""
    assert epoch_order(0, 0, 8).tolist() == \
        np.random.default_rng([0, 0, 0]).permutation(8).tolist()
    assert sample_rng(4, 2, 9).random() == np.random.default_rng([4, 1, 2, 9]).random()


def test_every_sample_has_random_numbers_of_its_own():
    first = {sample_rng(seed, epoch, index).random()
             for seed in range(3) for epoch in range(5) for index in range(20)}
    assert len(first) == 300


def test_an_epoch_shows_each_image_at_most_once_and_drops_the_incomplete_batch():
    steps = list(batches())
    assert [len(step) for step in steps] == [4] * 7
    assert [step[0][0] for step in steps] == [0, 0, 1, 1, 2, 2, 3]  # 11 // 4 steps an epoch
    first = [index for step in steps[:2] for _, index in step]
    assert first == epoch_order(0, 0, 11)[:8].tolist()


@pytest.mark.parametrize("start_step", range(8))
def test_starting_later_gives_the_rest_of_the_same_run(start_step):
    sampler = batches(start_step=start_step)
    assert list(sampler) == list(batches())[start_step:]
    assert len(sampler) == 7 - start_step


def test_processes_share_the_batch_of_one_process():
    whole = list(batches())
    shares = [list(batches(rank=rank, world=2)) for rank in (0, 1)]
    for one, *parts in zip(whole, *shares, strict=True):
        assert [len(part) for part in parts] == [2, 2]
        assert sorted(parts[0] + parts[1]) == sorted(one)


def test_too_few_images_are_refused():
    with pytest.raises(DataError, match="E-BATCH fewer training images(.|\n)*found: 3 .*least 4"
                       "(.|\n)*--batch-size 3"):
        batches(num_images=3)


def test_a_batch_that_the_processes_cannot_share_is_refused():
    with pytest.raises(UsageError, match="E-BATCH(.|\n)*found: 3 processes"):
        batches(world=3)


@pytest.fixture
def samples(make_tree):
    transform = TrainTransform(target=(12, 8), crop_height=8, crop_width=8)
    return TrainSamples(SegmentationDataset("voc", make_tree("voc").root, "train"), transform, 7)


def test_a_sample_depends_on_epoch_and_index_alone(samples):
    again = pickle.loads(pickle.dumps(samples))
    for key in ((0, 0), (0, 1), (3, 1)):
        assert all(torch.equal(a, b) for a, b in zip(samples[key], again[key], strict=True))
    assert not torch.equal(samples[0, 1][0], samples[1, 1][0])
    assert len(samples) == 2


def test_workers_do_not_change_what_training_sees(samples):
    sampler = batches(num_images=2, batch_size=2, total_steps=5)
    seen = [list(DataLoader(samples, batch_sampler=sampler, num_workers=workers))
            for workers in (0, 2)]
    assert len(seen[0]) == 5 and seen[0][0][0].shape == (2, 3, 8, 8)
    for alone, helped in zip(*seen, strict=True):
        assert torch.equal(alone[0], helped[0]) and torch.equal(alone[1], helped[1])
