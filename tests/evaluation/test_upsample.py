"""The argmax that saves memory against the plain way: the same but for roundings."""

import pytest
import torch
import torch.nn.functional as F

from deeplab.evaluation import upsample
from deeplab.evaluation.upsample import (bilinear_weights, predicted_tiles, upsampled,
                                         upsampled_argmax, upsampled_mean)

EPSILON = 2 ** -23  # PyTorch finds the place of a pixel in float32: to `cells` times this


def plain(logits: torch.Tensor, height: int, width: int) -> torch.Tensor:
    full = F.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
    return full.argmax(1)


def random_logits(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def one_thread():
    """Many short loops share two busy cores badly; the number of threads changes no bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(("shape", "height", "width"), [
    ((1, 150, 64, 86), 512, 683),  # ADE20K
    ((1, 21, 32, 43), 375, 500),  # VOC at output stride 16
    ((1, 19, 17, 33), 512, 1024),
    ((2, 59, 7, 9), 200, 131),
    ((1, 4, 300, 500), 411, 640),
    ((1, 60, 1, 2), 300, 77),
    ((1, 7, 401, 500), 401, 500),  # nothing to resize
    ((1, 19, 600, 700), 401, 500),  # smaller than the map
    ((1, 3, 64, 64), 700, 900),
    ((1, 150, 12, 16), 40, 50),
])
def test_the_prediction_is_a_best_class_of_the_plain_way(shape, height, width):
    """Only where two classes differ by less than a rounding may the other one be named.

    Sums are rounded, and so is the place of a pixel, which matters as classes differ.
    """
    far = random_logits(*shape)
    near = far[:, :1] + 1e-4 * far
    for logits in (far, near):
        got = upsampled_argmax(logits, height, width)
        assert got.dtype == torch.int64
        full = F.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
        missed = full.amax(1) - full.gather(1, got[:, None])[:, 0]
        differ = (logits - logits[:, :1]).abs().max()
        assert missed.max() <= EPSILON * (8 * logits.abs().max() + 2 * max(shape[2:]) * differ)
    assert (upsampled_argmax(far, height, width) != plain(far, height, width)).float().mean() < 1e-4


def test_the_number_of_threads_changes_nothing():
    logits = random_logits(1, 21, 32, 43)
    alone = upsampled_argmax(logits, 375, 500)
    torch.set_num_threads(2)
    assert torch.equal(upsampled_argmax(logits, 375, 500), alone)
    assert torch.equal(plain(logits, 375, 500), alone)


def test_tiles_cover_every_pixel_once_whatever_their_size(monkeypatch):
    logits = random_logits(2, 21, 12, 16)
    whole = upsampled_argmax(logits, 180, 250)
    for side in (7, 64, 180, 1000):
        monkeypatch.setattr(upsample, "ON_CPU", 2 * 21 * side ** 2)
        visits = torch.zeros(180, 250, dtype=int)
        for window, prediction in predicted_tiles([logits], 180, 250):
            visits[window] += 1
            assert torch.equal(prediction, whole[:, window[0], window[1]])
        assert (visits == 1).all()


@pytest.mark.parametrize(("height", "width"), [(180, 240), (1800, 2400)])
def test_one_tile_at_a_time_is_upsampled(monkeypatch, height, width):
    """150 classes at 2400 x 1800 would be 2.6 GB; a tile of them is 2 MB at any size."""
    sizes = []

    def watched(*args):
        result = upsampled_window(*args)
        sizes.append(result.numel())
        return result

    upsampled_window = upsample._upsampled_window
    monkeypatch.setattr(upsample, "_upsampled_window", watched)
    for _ in predicted_tiles([random_logits(1, 40, 12, 16)], height, width):
        pass
    assert 0.9 * upsample.ON_CPU < max(sizes) <= upsample.ON_CPU
    assert sum(sizes) == height * width * 40


@pytest.mark.parametrize(("cells", "pixels"),
                         [(1, 7), (5, 5), (11, 88), (6, 85), (43, 500), (64, 40)])
def test_weights_are_those_of_pytorch(cells, pixels):
    """Column by column: what becomes of one cell that is 1 among zeros."""
    want = F.interpolate(torch.eye(cells)[None], pixels, mode="linear", align_corners=False)[0].T
    concerned, weights = bilinear_weights(cells, pixels)
    assert concerned == slice(0, cells)
    torch.testing.assert_close(weights, want, rtol=0, atol=cells * EPSILON)


def test_a_part_of_the_weights_names_the_cells_it_mixes():
    """Pixels 4 and 5 of 16 over 4 cells have centres at 0.625 and 0.875, by hand."""
    concerned, weights = bilinear_weights(4, 16, slice(4, 6))
    assert concerned == slice(0, 2)
    assert weights.tolist() == [[0.375, 0.625], [0.125, 0.875]]


def test_of_equal_classes_the_first_wins():
    logits = random_logits(1, 6, 9, 11)
    tied = torch.cat([logits, logits, logits], dim=1)
    assert torch.equal(upsampled_argmax(tied, 120, 99), upsampled_argmax(logits, 120, 99))
    assert not upsampled_argmax(torch.zeros(1, 8, 4, 4), 99, 99).any()
    assert not upsampled_argmax(torch.full((1, 8, 4, 4), -torch.inf), 99, 99).any()


def test_half_precision_logits_do_not_limit_the_number_of_classes():
    logits = random_logits(1, 300, 4, 5).bfloat16()  # bfloat16 cannot count to 300
    assert torch.equal(upsampled_argmax(logits, 90, 80), plain(logits.float(), 90, 80))


def test_several_outputs_are_averaged_at_the_final_size():
    outputs = [random_logits(2, 5, 6, 8, seed=1), random_logits(2, 5, 9, 12, seed=2)]
    want = sum(F.interpolate(output, (70, 90), mode="bilinear", align_corners=False)
               for output in outputs) / 2
    torch.testing.assert_close(upsampled_mean(outputs, 70, 90), want, rtol=0, atol=1e-6)
    assert torch.equal(upsampled_argmax(outputs, 70, 90), want.argmax(1))


@pytest.mark.parametrize("function", [upsampled_mean, upsampled_argmax])
def test_outputs_that_have_the_final_size_already_are_left_as_they_are(function):
    outputs = [random_logits(1, 5, 40, 50, seed=seed) for seed in (1, 2)]
    before = [output.clone() for output in outputs]
    function(outputs, 40, 50)
    assert all(torch.equal(a, b) for a, b in zip(outputs, before))


def test_cell_centres_and_not_corners_are_aligned():
    """Two cells over four pixels: centres at 0.5 and 2.5, worked by hand."""
    got = upsampled(torch.tensor([[[[0.0, 1.0]]]]), 1, 4)
    assert got.flatten().tolist() == [0.0, 0.25, 0.75, 1.0]
