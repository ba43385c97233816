"""The two ways to the loss, strips on a CPU and slices on a GPU, against the plain formula."""

import pytest
import torch
import torch.nn.functional as F

from deeplab.planning.memory import LiveBytes
from deeplab.training import loss as module
from deeplab.training.loss import ALIVE, _in_slices, _in_strips


def case(images=5, classes=6, cells=(4, 5), pixels=(30, 37)):
    """Logits, a label with ignored pixels, and the plain loss and gradient in float64."""
    generator = torch.Generator().manual_seed(0)
    logits = 5 * torch.randn(images, classes, *cells, generator=generator)
    label = torch.randint(0, classes + 1, (images, *pixels), generator=generator)
    label[label == classes] = 255
    exact = logits.double().requires_grad_()
    full = F.interpolate(exact, pixels, mode="bilinear", align_corners=False)
    loss = F.cross_entropy(full, label, ignore_index=255)
    return logits, label, loss.item(), torch.autograd.grad(loss, exact)[0].float()


@pytest.mark.parametrize("way", [_in_slices, _in_strips])
@pytest.mark.parametrize("images_at_once", [1, 2, 5, 100])
def test_both_ways_give_loss_and_gradient_of_the_plain_formula(monkeypatch, way, images_at_once):
    logits, label, wanted, gradient = case()
    monkeypatch.setattr(module, "SLICE_BYTES", images_at_once * ALIVE * 4 * 6 * 30 * 37)
    loss, found = way(logits, label, 255)
    assert loss.item() == pytest.approx(wanted, rel=1e-6)
    torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("way", [_in_slices, _in_strips])
def test_a_batch_that_is_ignored_whole_gives_0(way):
    logits, label, *_ = case()
    loss, gradient = way(logits, torch.full_like(label, 255), 255)
    assert loss == 0 and not gradient.any()


def test_slices_stay_within_their_bytes(monkeypatch):
    """On the device "meta", which stands for a GPU; one image more would not fit."""
    budget = 3 * ALIVE * 4 * 150 * 128 * 128
    monkeypatch.setattr(module, "SLICE_BYTES", budget)
    logits = torch.empty(8, 150, 8, 8, device="meta")
    label = torch.empty(8, 128, 128, dtype=torch.long, device="meta")
    with LiveBytes(torch.nn.Identity()) as live:
        _in_slices(logits, label, 255)
    assert 0.9 * budget < live.peak < 1.1 * budget
