"""The argmax that saves memory against the plain way, bit for bit."""


import pytest
import torch
import torch.nn.functional as F

from deeplab.evaluation import upsample
from deeplab.evaluation.upsample import upsampled, upsampled_argmax, upsampled_mean


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


@pytest.fixture
def no_short_cut(monkeypatch):
    """Small maps take the loop too."""
    monkeypatch.setattr(upsample, "SMALL", 0)


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
def test_the_prediction_is_bit_for_bit_the_plain_one(shape, height, width):
    """Also where classes differ by less than a rounding, so that any other sum would show."""
    far = random_logits(*shape)
    near = far[:, :1] + 1e-7 * far
    for logits in (far, near):
        got = upsampled_argmax(logits, height, width)
        assert got.dtype == torch.int64
        assert torch.equal(got, plain(logits, height, width))


def test_the_number_of_threads_changes_nothing():
    logits = random_logits(1, 21, 32, 43)
    alone = upsampled_argmax(logits, 375, 500)
    torch.set_num_threads(2)
    assert torch.equal(upsampled_argmax(logits, 375, 500), alone)
    assert torch.equal(plain(logits, 375, 500), alone)


def test_only_one_class_at_a_time_is_upsampled(monkeypatch):
    """150 classes at 2400 x 1800 would be 2.6 GB; a plane of them is 17 MB."""
    sizes = []

    def watched(*args):
        result = upsampled(*args)
        sizes.append(result.numel())
        return result

    monkeypatch.setattr(upsample, "upsampled", watched)
    upsampled_argmax(random_logits(1, 40, 12, 16), 180, 240)
    assert sizes == [180 * 240] * 40


def test_of_equal_classes_the_first_wins(no_short_cut):
    logits = random_logits(1, 6, 9, 11)
    tied = torch.cat([logits, logits, logits], dim=1)
    assert torch.equal(upsampled_argmax(tied, 120, 99), plain(logits, 120, 99))
    assert not upsampled_argmax(torch.zeros(1, 8, 4, 4), 99, 99).any()
    assert not upsampled_argmax(torch.full((1, 8, 4, 4), -torch.inf), 99, 99).any()


def test_half_precision_logits_do_not_limit_the_number_of_classes(no_short_cut):
    logits = random_logits(1, 300, 4, 5).bfloat16()  # bfloat16 cannot count to 300
    assert torch.equal(upsampled_argmax(logits, 90, 80), plain(logits, 90, 80))


def test_several_outputs_are_averaged_at_the_final_size(no_short_cut):
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
