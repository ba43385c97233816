"""The primer's drawings say what the network is, and upsample as PyTorch does."""

import numpy as np
import torch
import torch.nn.functional as F

from deeplab.course.output_stride import stages
from deeplab.model.backbone import ResNet


def test_the_parts_are_drawn_with_the_channels_and_blocks_of_the_network():
    with torch.device("meta"):
        network = ResNet(depth=50, output_stride=32)
        maps = network(torch.empty(1, 3, 64, 64))
    drawn = {name: (channels, blocks) for name, _, _, channels, blocks in stages.STAGES[1:]}
    found = {name: (one.shape[1], len(getattr(network, f"layer{number}")))
             for number, (name, one) in enumerate(maps._asdict().items(), start=1)}
    assert drawn == found


def test_the_drawing_tells_cells_and_rates_of_an_output_stride():
    said = " ".join(text.get_text() for text in stages.stages(output_stride=8).axes[0].texts)
    assert said.count("8 pixels per cell") == 3 and "stride 1, rate 4" in said


def test_both_kinds_of_block_are_drawn():
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in stages.blocks().axes]
    assert titles == ["a block within a stage", "the first block of a stage"]


def test_a_line_is_upsampled_as_pytorch_does():
    scores = np.random.default_rng(0).normal(size=(2, 5))
    theirs = F.interpolate(torch.tensor(scores)[None], scale_factor=8, mode="linear")[0].numpy()
    assert np.allclose(stages.upsampled_line(scores, 8), theirs)


def test_within_a_cell_the_class_may_change():
    scores = np.array([[2.0, 1.2, 0.5, 0.0], [0.0, 0.9, 2.6, 2.2]])
    first_of_wall = int(stages.upsampled_line(scores, 16).argmax(0).argmax())
    assert 16 < first_of_wall < 32
    assert stages.upsampling(scores).axes[0].get_xlabel() == "pixel"
