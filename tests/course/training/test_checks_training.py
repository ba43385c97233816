"""The checks of lesson 8 pass the right answer and name each usual mistake."""

import copy

import pytest
import torch
import torch.nn.functional as F

from deeplab.course.training import checks
from deeplab.course.training.broken_loop import BUGS, broken_training, mended_training
from deeplab.course.training.overfit import share_right


def poly(step, base_lr, total_steps, *, power=0.9, clamp=True):
    left = 1 - step / total_steps
    left = max(0.0, left) if clamp else left
    return 0.99 * base_lr * left ** power + 0.01 * base_lr


def test_the_squeezed_curve_is_correct():
    assert checks.check_poly(poly).startswith("Exercise 8.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda step, base, total: base * max(0.0, 1 - step / total) ** 0.9, "ends at 0"),
    (lambda *given: poly(*given, power=1), "a straight line"),
    (lambda step, base, total: base * max(0.0, 1 - step / total) ** 0.9 + 0.01 * base,
     "begins above base_lr"),
    (lambda step, base, total: max(0.01 * base, base * max(0.0, 1 - step / total) ** 0.9),
     "cuts the paper's curve off"),
    (lambda *given: poly(*given, clamp=False), "complex"),
    (lambda step, base, total: poly(step, base, total - 1), "divided by total_steps - 1"),
    (lambda *given: poly(*given, power=0.5), "expected 0.000338"),
    (lambda *given: None, "got None"),
])
def test_a_wrong_schedule_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_poly(mistake)
    assert "not yet" in verdict and message in verdict


def mean_loss(logits, label):
    total = F.cross_entropy(logits, label, ignore_index=255, reduction="sum")
    return total / (label != 255).sum().clamp_min(1)


def each_image(logits, label):
    return torch.stack([mean_loss(one[None], target[None])
                        for one, target in zip(logits, label, strict=True)])


@pytest.mark.filterwarnings("error")
def test_the_mean_over_valid_pixels_is_correct():
    assert checks.check_mean_loss(mean_loss).startswith("Exercise 8.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda logits, label: mean_loss(logits, label) * (label != 255).float().mean(), "all pixels"),
    (lambda logits, label: mean_loss(logits, label) * (label != 255).sum(), "That is the sum"),
    (lambda logits, label: each_image(logits, label).mean(), "images' means"),
    (lambda logits, label: F.cross_entropy(logits, label % 255), "as class 0"),
    (lambda logits, label: F.cross_entropy(logits, label, ignore_index=255), "0 / 0"),
    (lambda logits, label: F.cross_entropy(logits, label.clamp(max=3)), "as the last class"),
    (lambda logits, label: mean_loss(logits.softmax(1), label), "took the softmax first"),
    (lambda logits, label: mean_loss(logits, label) if (label != 255).any() else 0,
     "backward() can go through"),
    (lambda logits, label: mean_loss(logits, label) if (label != 255).any() else torch.tensor(0.0),
     "backward() can go through"),
    (lambda logits, label: 2 * mean_loss(logits, label), "Expected"),
    (each_image, "Expected one number"),
    (lambda logits, label: mean_loss(logits, label).item(), "left PyTorch's graph"),
    (lambda logits, label: mean_loss(logits.detach(), label), "left PyTorch's graph"),
    (lambda logits, label: F.cross_entropy(logits, label, reduction="sum"), "raised IndexError"),
    (lambda logits, label: None, "got None"),
])
def test_a_wrong_loss_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_mean_loss(mistake)
    assert "not yet" in verdict and message in verdict


def running(mean, var, x, *, momentum=0.1, correction=1, dims=(0, 2, 3)):
    return ((1 - momentum) * mean + momentum * x.mean(dims),
            (1 - momentum) * var + momentum * x.var(dims, correction=correction))


def test_a_tenth_of_the_batch_is_correct():
    assert checks.check_running(running).startswith("Exercise 8.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda *given: running(*given, momentum=0.9), "nine tenths"),
    (lambda *given: running(*given, momentum=1), "this batch alone"),
    (lambda *given: running(*given, correction=0), "divided by n - 1"),
    (lambda mean, var, x: (running(mean, var, x)[0], 0.9 * var + 0.1 * x.std((0, 2, 3))),
     "the variance is its square"),
    (lambda *given: running(*given, dims=(2, 3)), "Expected a pair"),
    (lambda mean, var, x: running(mean, var, x[:1]), "Channel 0"),
    (lambda *given: running(*given)[0], "Expected a pair"),
])
def test_wrong_statistics_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_running(mistake)
    assert "not yet" in verdict and message in verdict


def sound(*given, **options):
    return mended_training(*given, **options)


def with_bugs(*names):
    return lambda *given: mended_training(*given, bugs=frozenset(names))


def half_the_rate(model, batches, base_lr):
    return mended_training(model, batches, base_lr / 2)


def a_copy(model, *given):
    return mended_training(copy.deepcopy(model), *given)


def never_eval(model, batches, base_lr):
    """The line `model.eval()` was deleted, and with it the bug of the mode."""
    model.eval = lambda: model
    curves = mended_training(model, batches, base_lr)
    del model.eval
    return curves


def trained_again(model, batches, base_lr):
    """Sound in another spelling: the mode is set in every step, the gradients after the update."""
    optimizer = torch.optim.SGD(model.parameters(), lr=base_lr, momentum=0.9)
    losses, scores = [], []
    for step, (image, label) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = checks.poly_lr(step, base_lr=base_lr, total_steps=len(batches))
        full = F.interpolate(model.train()(image).main, label.shape[1:], mode="bilinear")
        loss = mean_loss(full, label)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if (step + 1) % 5 == 0:
            scores.append(share_right(model.eval(), image, label))
    return losses, scores


@pytest.mark.parametrize("loop", [sound, trained_again])
def test_a_mended_loop_is_correct_however_it_is_written(loop):
    state = torch.get_rng_state()
    assert checks.check_training(loop).startswith("Exercise 8.4: correct.")
    assert torch.equal(torch.get_rng_state(), state)


def test_the_loop_that_is_shown_has_all_three_bugs():
    model, batches = checks._small_task()
    other = copy.deepcopy(model)
    broken_training(model, batches, 0.05)
    with_bugs(*BUGS)(other, batches, 0.05)
    assert all(torch.equal(one, two) for one, two in
               zip(model.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize(("mistake", "message"), [
    (broken_training, "0 of 3 mended"),
    (with_bugs("gradients", "void"), "1 of 3 mended"),
    (with_bugs("gradients"), "2 of 3 mended. The steps still get longer"),
    (with_bugs("mode"), "2 of 3 mended. From step 6 on"),
    (with_bugs("void"), "2 of 3 mended. A network that knows"),
    (half_the_rate, "neither those of a sound loop"),
    (never_eval, "Scores are still to be taken in eval mode"),
    (lambda *given: ([torch.tensor(loss, requires_grad=True) for loss in sound(*given)[0]], []),
     "`loss.item()`"),
    (a_copy, "The model is as it was"),
    (lambda *given: sound(*given)[0], "Return a pair"),
    (lambda *given: sound(*given)[::-1], "losses are not those"),
    (lambda *given: (sound(*given)[0], [0.0, 0.0]), "scores are not those"),
    (lambda model, batches, rate: model(batches), "raised"),
    (lambda *given: None, "The model is as it was"),
])
def test_a_loop_that_is_not_mended_is_told_a_symptom(mistake, message):
    verdict = checks.check_training(mistake)
    assert "not yet" in verdict and message in verdict
    assert "zero_grad" not in verdict and "ignore_index" not in verdict
