"""Two processes with half a batch each against one with the whole, as lesson 9 shows it."""

import pytest
import torch

from deeplab.course.gpus import two_processes
from deeplab.course.gpus.two_processes import demo_batch, gradient, prepared
from deeplab.support.void import IGNORE_INDEX


@pytest.fixture(scope="module")
def found():
    return two_processes.demonstrate()


def test_frozen_statistics_give_the_gradient_of_the_whole_batch(found):
    assert found["images"] == 4
    assert found["frozen"] < 0.01  # per cent


def test_own_statistics_and_void_in_one_half_give_another_gradient(found):
    assert found["own statistics"] > 10
    assert found["void"] > 3


def test_the_synchronised_mean_is_that_of_the_whole_batch(found):
    first, second = found["means"]
    assert abs(first - second) > 0.1
    assert found["synchronised"] == pytest.approx(found["whole"], abs=1e-5)
    assert (first + second) / 2 == pytest.approx(found["whole"], abs=1e-5)


def test_the_differences_are_those_of_the_halves_computed_in_one_process(found):
    model, image, label = demo_batch()
    whole = gradient(prepared(model, is_frozen=False), image, label)
    halves = [gradient(prepared(model, is_frozen=False), image[part::2], label[part::2])
              for part in (0, 1)]
    off = 100 * (sum(halves) / 2 - whole).norm() / whole.norm()
    assert found["own statistics"] == pytest.approx(off.item(), rel=0.02)


def test_the_batch_has_no_void_and_the_copies_no_dropout():
    model, _, label = demo_batch()
    assert not (label == IGNORE_INDEX).any()
    network = prepared(model, is_frozen=True)
    modes = {type(module): module.training for module in network.modules()}
    assert not modes[torch.nn.Dropout2d] and not modes[torch.nn.BatchNorm2d]
    assert network.training and network is not model
