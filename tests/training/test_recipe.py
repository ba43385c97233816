"""Loss, learning rate and optimiser against upstream's numbers and against plain torch."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from deeplab.support.errors import UsageError
from deeplab.training.recipe import (AUX_WEIGHT, MIN_LR_FRACTION, make_optimizer, poly_lr,
                                     segmentation_loss, set_lr)

REFERENCE = Path(__file__).parents[1] / "reference/data"
POLY = json.loads((REFERENCE / "poly_lr.json").read_text())
CURVES = ["voc_bs16", "pascalcontext", "tiny"]


@pytest.fixture
def stored():
    with np.load(REFERENCE / "losses.npz") as arrays:
        return {key: torch.from_numpy(np.asarray(arrays[key])) for key in arrays}


def small_case(seed: int = 0):
    """Logits of both heads at feature resolution and a label with ignored pixels."""
    generator = torch.Generator().manual_seed(seed)
    main, aux = (torch.randn(2, 5, 4, 5, generator=generator, requires_grad=True)
                 for _ in range(2))
    label = torch.randint(0, 6, (2, 30, 37), generator=generator)
    label[label == 5] = 255
    return SimpleNamespace(main=main, aux=aux), label


@pytest.mark.parametrize("name", CURVES)
def test_the_learning_rate_follows_upstreams_curve(name):
    curve = POLY[name]
    for step, lr in curve["iter_lr"]:
        got = poly_lr(step, base_lr=curve["lr"], total_steps=curve["max_iters"])
        assert got == pytest.approx(lr, rel=1e-12)


def test_the_learning_rate_after_the_last_step_stays_at_its_minimum():
    for step in (100, 101, 10_000):
        lr = poly_lr(step, base_lr=0.01, total_steps=100)
        assert isinstance(lr, float) and lr == MIN_LR_FRACTION * 0.01


def test_the_learning_rate_only_falls():
    lrs = [poly_lr(step, base_lr=0.01, total_steps=50) for step in range(51)]
    assert lrs[0] == 0.01 and lrs == sorted(set(lrs), reverse=True)


def test_a_schedule_of_no_steps_is_refused():
    with pytest.raises(UsageError, match=r"E-STEPS (.|\n)*found: 0   expected: total_steps >= 1"):
        poly_lr(0, base_lr=0.01, total_steps=0)


def test_losses_and_gradients_equal_upstreams(stored):
    """The reference logits are at the size of the label already; its aux is weighted."""
    main = stored["logits_cls"].requires_grad_()
    aux = stored["logits_aux"].requires_grad_()
    losses = segmentation_loss(SimpleNamespace(main=main, aux=aux), stored["label_255"])
    losses.total.backward()
    assert losses.main.item() == pytest.approx(stored["sss_loss_cls"].item(), rel=1e-6)
    assert losses.aux.item() == pytest.approx(stored["sss_loss_aux"].item(), rel=1e-6)
    assert losses.total.item() == pytest.approx(stored["sss_loss_total"].item(), rel=1e-6)
    torch.testing.assert_close(main.grad, stored["sss_grad_cls"], rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(aux.grad, stored["sss_grad_aux"], rtol=1e-5, atol=1e-8)


def test_the_mean_runs_over_valid_pixels_not_over_all_as_in_mmsegmentation(stored):
    logits = SimpleNamespace(main=stored["logits_cls"], aux=None)
    loss = segmentation_loss(logits, stored["label_255"]).main.item()
    assert loss == pytest.approx(stored["mm_cls_avg_non_ignore"].item(), rel=1e-6)
    assert abs(loss - stored["mm_cls"].item()) > 0.5


def test_the_loss_is_the_log_of_the_truth_at_the_size_of_the_label():
    logits, label = small_case()
    full = F.interpolate(logits.main.double(), (30, 37), mode="bilinear", align_corners=False)
    log_probability = full.log_softmax(1)
    terms = [-log_probability[n, label[n, y, x], y, x]
             for n, y, x in (label != 255).nonzero().tolist()]
    losses = segmentation_loss(logits, label)
    assert losses.main.item() == pytest.approx(torch.stack(terms).mean().item(), rel=1e-5)
    assert losses.total.item() == pytest.approx((losses.main + losses.aux).item())


def test_the_auxiliary_head_counts_for_two_fifths():
    logits, label = small_case()
    twice = SimpleNamespace(main=logits.main, aux=logits.main)
    losses = segmentation_loss(twice, label)
    assert AUX_WEIGHT == 0.4
    assert losses.aux.item() == pytest.approx(0.4 * losses.main.item())


def test_without_an_auxiliary_head_the_total_is_the_main_loss():
    logits, label = small_case()
    losses = segmentation_loss(SimpleNamespace(main=logits.main, aux=None), label)
    assert losses.total == losses.main and losses.aux == 0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32])
def test_a_label_of_any_integer_type_gives_the_same_loss(dtype):
    logits, label = small_case()
    want = segmentation_loss(logits, label).total
    assert segmentation_loss(logits, label.to(dtype)).total == want


def test_a_batch_that_is_ignored_whole_gives_a_loss_of_0_with_a_gradient_of_0():
    logits, label = small_case()
    losses = segmentation_loss(logits, torch.full_like(label, 255))
    losses.total.backward()
    assert losses == (0, 0, 0)
    assert not logits.main.grad.any() and not logits.aux.grad.any()


def test_cells_that_reach_only_ignored_pixels_get_no_gradient():
    """The last of five cells lies at column 32.8 of 37 and reaches back to column 25.4."""
    logits, label = small_case()
    label[..., 25:] = 255
    segmentation_loss(logits, label).total.backward()
    for head in (logits.main, logits.aux):
        assert not head.grad[..., 4].any() and head.grad[..., 3].any()


@pytest.mark.parametrize("value", [5, 6, 254, -1])
@pytest.mark.parametrize("pixel", [0, 600, -1])
def test_a_label_that_is_no_class_is_refused_wherever_it_lies(value, pixel):
    logits, label = small_case()
    label.view(-1)[pixel] = value
    with pytest.raises(RuntimeError, match=f"index {value} is out of bounds .* size 5"):
        segmentation_loss(logits, label)


@pytest.mark.parametrize("gap", [10, 100, 1000])
def test_neighbours_that_are_sure_of_different_classes_give_a_finite_loss(gap):
    """Between four cells no class comes near the largest logit around: exp() of all is 0."""
    main = torch.zeros(1, 4, 2, 2)
    main[0, range(4), [0, 0, 1, 1], [0, 1, 0, 1]] = gap
    main.requires_grad_()
    label = torch.randint(0, 4, (1, 9, 12), generator=torch.Generator().manual_seed(0))
    full = F.interpolate(main.double(), (9, 12), mode="bilinear", align_corners=False)
    want = F.cross_entropy(full, label)
    loss = segmentation_loss(SimpleNamespace(main=main, aux=None), label).total
    assert loss.item() == pytest.approx(want.item(), rel=1e-5)
    got, expected = (torch.autograd.grad(value, main)[0] for value in (loss, want))
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


def test_half_precision_logits_are_scored_in_single_precision():
    logits, label = small_case()
    half = SimpleNamespace(main=logits.main.bfloat16(), aux=None)
    loss = segmentation_loss(half, label).total
    same = segmentation_loss(SimpleNamespace(main=half.main.float(), aux=None), label).total
    assert loss.dtype == torch.float32 and loss == same


def test_one_step_of_sgd_is_worked_by_hand_for_biases_and_batch_norm_alike():
    """v = g + decay * w; w -= lr * v: weight decay reaches every parameter."""
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    optimizer = make_optimizer(model, base_lr=0.1, weight_decay=0.5)
    for parameter in model.parameters():
        nn.init.constant_(parameter, 2.0)
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    values = [parameter.item() for parameter in model.parameters()]
    assert values == pytest.approx([2 - 0.1 * (1 + 0.5 * 2)] * 4)
    optimizer.step()  # 1.8: v = 0.9 * 2 + (1 + 0.5 * 1.8) = 3.7
    assert model[1].bias.item() == pytest.approx(1.8 - 0.1 * 3.7)


def test_one_group_holds_every_parameter_and_takes_the_rate_that_is_set():
    model = nn.Linear(2, 2)
    optimizer = make_optimizer(model, base_lr=0.01, weight_decay=5e-4)
    (group,) = optimizer.param_groups
    assert len(group["params"]) == 2 and not group["nesterov"] and group["dampening"] == 0
    set_lr(optimizer, 0.002)
    assert group["lr"] == 0.002
