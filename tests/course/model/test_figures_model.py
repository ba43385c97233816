"""The pictures of lesson 6 colour alike features alike, and label what they draw."""

import numpy as np
import torch

from deeplab.course.model import figures
from deeplab.course.model.layer_costs import Piece
from deeplab.figures.plots import png


def test_cells_have_one_colour_exactly_if_they_have_the_same_features():
    torch.manual_seed(0)
    kinds = torch.tensor([[0, 0, 1], [2, 1, 0]])
    colours = figures.as_colours(torch.randn(5, 3)[:, kinds])
    assert colours.dtype == np.uint8 and colours.shape == (2, 3, 3)
    cells, kinds = colours.reshape(-1, 3), kinds.flatten()
    for one in range(6):
        for other in range(6):
            assert (cells[one] == cells[other]).all() == (kinds[one] == kinds[other])


def test_a_map_whose_cells_are_all_alike_has_one_colour():
    colours = figures.as_colours(torch.ones(4, 2, 3))
    assert (colours == colours[0, 0]).all()


def test_bars_show_parameters_uses_and_their_product_per_piece():
    found = {"stem": Piece(parameters=10**6, weights=10**6, macs=3 * 10**9),
             "ASPP, 1x1": Piece(parameters=2 * 10**6, weights=10**6, macs=10**9)}
    fig = figures.piece_bars(found)
    assert [[text.get_text() for text in ax.texts] for ax in fig.axes] == [
        ["1", "2"], ["3000", "1000"], ["3", "1"]]
    assert png(fig)
