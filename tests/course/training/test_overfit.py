"""Learning one batch by heart works, leaves the model alone and feels what contradicts itself."""

import pytest
import torch
from torch import nn

from deeplab.course.training import overfit
from deeplab.model.network import Logits


class Colours(nn.Module):
    """Names a pixel by its colour: one BatchNorm and one 1x1 convolution."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1))

    def forward(self, image):
        return Logits(self.layers(image), None)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Colours()


@pytest.fixture
def pair():
    """Two images whose left half is red and right half green, and one column of void."""
    label = torch.zeros(2, 4, 8, dtype=torch.long)
    label[:, :, 4:] = 1
    image = torch.nn.functional.one_hot(label, 3).permute(0, 3, 1, 2).float()
    label[:, :, 0] = 255
    return image, label


def test_what_can_be_seen_is_learnt_and_the_model_stays_as_it_was(model, pair):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    network, losses = overfit.overfit(model, *pair, steps=60, lr=0.5)
    assert losses[-1] < losses[0] / 10
    assert overfit.share_right(overfit.with_batch_statistics(network), *pair) == 100
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_the_random_state_is_left_as_it_was(model, pair):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    overfit.overfit(model, *pair, steps=2, lr=0.1)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_coin_each_cannot_be_learnt(model, pair):
    _, losses = overfit.overfit(model, *pair, steps=60, lr=0.1, spoil=overfit.own_coins)
    assert sum(losses[-20:]) / 20 > 0.5


def test_own_coins_mirror_image_and_label_independently(pair):
    generator, seen = torch.Generator().manual_seed(0), set()
    for _ in range(40):
        image, label = overfit.own_coins(*pair, generator)
        seen.add((torch.equal(image, pair[0]), torch.equal(label, pair[1])))
    assert len(seen) == 4


def test_swapped_gives_every_image_its_neighbours_label():
    label = torch.arange(3)[:, None, None].expand(3, 2, 2)
    assert overfit.swapped(label, label, None)[1][:, 0, 0].tolist() == [2, 0, 1]


def test_void_does_not_count_as_wrong_or_right(model, pair):
    image, label = pair
    answer = model.eval()(image).main.argmax(1)
    half = answer.clone()
    half[:, :2] = (half[:, :2] + 1) % 3
    assert overfit.share_right(model, image, half) == 50
    half[:, :2] = 255
    assert overfit.share_right(model, image, half) == 100


def test_batch_statistics_are_used_and_not_kept(model, pair):
    image, _ = pair
    network = overfit.with_batch_statistics(model)
    kept = network.layers[0].running_mean.clone()
    expected = model.train()(image).main
    torch.testing.assert_close(network(image).main, expected)
    assert torch.equal(network.layers[0].running_mean, kept)
