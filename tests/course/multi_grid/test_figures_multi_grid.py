"""The pictures of lesson 4 show footprints, averages and paths as they are."""

import numpy as np
import pytest
import torch

from deeplab.course.multi_grid import figures
from deeplab.figures.plots import png


def test_an_average_of_a_single_bright_cell_is_the_footprint():
    values = torch.zeros(17, 17)
    values[8, 8] = 1
    mean = figures.averaged(values, (1, 2, 4))
    assert torch.equal(mean[1:-1, 1:-1] > 0, torch.ones(15, 15, dtype=torch.bool))
    assert mean.sum().item() == pytest.approx(1)
    assert (figures.averaged(values, (2, 2, 2)) > 0).sum() == 49


def test_footprints_say_what_is_unseen():
    fig = figures.footprints([(1, 1, 1), (2, 2, 2), (2, 4, 8)])
    assert [ax.get_title("center") for ax in fig.axes] == [
        "(1, 1, 1)\n0 % unseen", "(2, 2, 2)\n71 % unseen", "(2, 4, 8)\n73 % unseen"]
    assert [ax.get_xlabel() for ax in fig.axes] == ["7 cells wide", "13 cells wide",
                                                    "29 cells wide"]
    assert png(fig)


def test_path_shares_are_the_binomial_of_three_equal_layers():
    shares = figures.path_shares((2, 2, 2))
    assert shares[::2] == pytest.approx(np.array([1, 3, 6, 7, 6, 3, 1]) / 27)
    assert not shares[1::2].any()


def test_profiles_and_gradients_have_a_panel_each():
    fig = figures.path_profiles({"narrow": (1, 1), "wide": (2, 4)})
    assert [ax.get_title("left") for ax in fig.axes] == [
        "narrow: 5 cells wide, 0 of them unseen", "wide: 13 cells wide, 6 of them unseen"]
    assert png(fig)
    axes = figures.gradients({"a": torch.eye(5), "b": 3 * torch.eye(5)}).axes
    assert [ax.collections[0].get_clim() for ax in axes[:2]] == [(0, 100)] * 2, "one scale"
    assert len(axes) == 3 and "per cent" in axes[2].get_ylabel()
