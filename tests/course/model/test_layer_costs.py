"""The pieces add up to the network, and their uses follow from strides alone."""

import pytest

from deeplab.course.model.layer_costs import pieces
from deeplab.planning.cost import model_cost
from deeplab.runs.config import RunConfig

ROW = "voc_r50_d16"


@pytest.fixture(scope="module")
def found():
    return pieces(ROW, height=512, width=512)


def test_the_pieces_add_up_to_the_parts(found):
    cost = model_cost(RunConfig.of(row_id=ROW, profile="full"))
    backbone = [found[name] for name in ("stem", "conv2", "conv3", "conv4", "conv5")]
    aspp = [piece for name, piece in found.items() if name.startswith("ASPP")]
    for part, group in (("backbone", backbone), ("aspp", aspp)):
        assert sum(piece.parameters for piece in group) == cost.parameters[part]
        assert sum(piece.macs for piece in group) == cost.train_macs[part]


def test_a_network_for_21_classes_has_the_published_number_of_parameters(found):
    assert sum(piece.parameters for piece in found.values()) == 70_479_754


def test_a_weight_is_used_once_per_output_cell(found):
    cells = 512 // 16
    assert found["ASPP, three rates"].uses == cells ** 2
    assert found["ASPP, image level"].uses == 1
    assert found["conv2"].uses == 128 ** 2
