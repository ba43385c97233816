"""Checks of lesson 8: a loss with void, the poly schedule, running statistics, a mended loop."""

import copy
from collections.abc import Callable, Iterator
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab.course.exercise import exercise, judged
from deeplab.course.training.broken_loop import BUGS, Batches, Curves, mended_training
from deeplab.model.network import Logits
from deeplab.support.void import IGNORE_INDEX
from deeplab.training.recipe import poly_lr

MOMENTUM = 0.1  # PyTorch's: the weight of the new value


@exercise("8.2", "High for long, and a soft landing.")
def check_poly(attempt: Callable[[int, float, int], float]) -> Iterator[str | None]:
    """Compare `attempt(step, base_lr, total_steps)` with `poly_lr`."""
    base_lr, total = 0.02, 1000
    for step in (0, 996, 500, 1500):  # near the end the usual mistakes differ most
        got = attempt(step, base_lr, total)
        wanted = poly_lr(step, base_lr=base_lr, total_steps=total)
        if isinstance(got, complex):
            yield ("Past the end 1 - step / total_steps is negative, and its 0.9th power a "
                   "complex number. Let it be 0 there.")
        if not isinstance(got, (int, float)):
            yield f"Expected a learning rate; got {got!r}."
        left = max(0.0, 1 - step / total)
        paper = base_lr * left ** 0.9
        yield judged(got, wanted, (
            (paper, "that ends at 0, as in the paper. Here the curve runs from base_lr down to "
                    "1 % of it."),
            (base_lr * (0.99 * left + 0.01), "that is a straight line; the power is 0.9."),
            (base_lr * (0.99 * max(0.0, 1 - step / (total - 1)) ** 0.9 + 0.01),
             "you divided by total_steps - 1. The curve divides by total_steps, and its end lies "
             "one step behind the last."),
            (paper + 0.01 * base_lr, "that begins above base_lr: the curve has only 99 % of it "
                                     "left to fall."),
            (max(0.01 * base_lr, paper), "that cuts the paper's curve off at 1 %; here the whole "
                                         "curve is squeezed to end there.")),
            f"expected {wanted:.6f}, got {got:.6f}.", near=1e-9,
            case=f"Step {step} of {total} from {base_lr}: ")


@exercise("8.1", "Every pixel that counts weighs the same, whichever image it is in.")
def check_mean_loss(attempt: Callable[[Tensor, Tensor], Tensor]) -> Iterator[str | None]:
    """Compare `attempt(logits, label)` with the mean over valid pixels; then all of it void."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 4, 5, 6, generator=generator)
    label = torch.randint(0, 4, (2, 5, 6), generator=generator)
    label[0, 1:], label[1, 0, :2] = IGNORE_INDEX, IGNORE_INDEX
    each = F.cross_entropy(logits, label, ignore_index=IGNORE_INDEX, reduction="none")
    counted = label != IGNORE_INDEX
    wanted = each[counted].mean()
    got = attempt(logits.clone().requires_grad_(), label.clone())
    if isinstance(got, float) or isinstance(got, Tensor) and not got.requires_grad:
        yield ("The number has left PyTorch's graph (.item(), float() or detach()), so that "
               "backward() cannot go through it. Return the tensor.")
    if got is None or torch.as_tensor(got).numel() != 1:
        yield f"Expected one number; got {got if got is None else torch.as_tensor(got).shape}."
    got = torch.as_tensor(got).detach()  # float() of what still has a graph warns
    means = [one[where].mean() for one, where in zip(each, counted, strict=True)]
    yield judged(float(got), wanted, (
        (each.mean(), "You divided by all pixels. Void pixels add nothing above the line and "
                      "must not count below it."),
        (each.sum(), "That is the sum; divide it by the number of pixels that count."),
        (sum(means) / len(means), "That is the mean of the images' means. The first image is "
         "mostly void; its few pixels would weigh more than those of the second."),
        (F.cross_entropy(logits, torch.where(counted, label, 0)), "Void went in as class 0: "
         "the network would be taught that borders are background."),
        (F.cross_entropy(logits, label.clamp(max=3)), "Void went in as the last class: the "
         "network would be taught that borders are of it."),
        (F.cross_entropy(logits.softmax(1), label, ignore_index=IGNORE_INDEX), "You took the "
         "softmax first; cross-entropy takes logits, and does that itself.")),
        f"Expected {wanted.item():.4f}, got {float(got):.4f}: the pixels that count, "
        f"{int(counted.sum())} of {counted.numel()}, add their losses, and so many divide them.",
        near=1e-5)
    empty = attempt(logits.clone().requires_grad_(), torch.full_like(label, IGNORE_INDEX))
    number = float(torch.as_tensor(empty).detach())
    yield judged(number, 0, (), f"A batch that is all void gives {number}: that is 0 / 0, and one "
                 "such step turns every weight into NaN. Let it be 0.", near=0)
    if not isinstance(empty, Tensor) or not empty.requires_grad:
        yield ("A batch that is all void gives 0, but not one that backward() can go through: the "
               "training would end there. Let the same lines make that 0.")


@exercise("8.3", "That is all there is to eval mode: these two replace the batch's own.")
def check_running(attempt: Callable[..., tuple[Tensor, Tensor]]) -> Iterator[str | None]:
    """Compare `attempt(mean, var, x)` with what `torch.nn.BatchNorm2d` keeps after one batch."""
    generator = torch.Generator().manual_seed(0)
    x = 2 * torch.randn(2, 3, 4, 5, generator=generator) + torch.tensor([1.0, -2, 5])[:, None, None]
    mean, var = torch.tensor([0.5, 0.0, -1.0]), torch.tensor([1.0, 2.0, 3.0])
    norm = torch.nn.BatchNorm2d(3)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
    norm(x)
    got = attempt(mean.clone(), var.clone(), x.clone())
    if not isinstance(got, tuple) or [tuple(part.shape) for part in got] != [(3,), (3,)]:
        yield "Expected a pair of vectors (3,), the new mean and the new variance."
    for kind, value, wanted, old, new in (
            ("mean", got[0], norm.running_mean, mean, x.mean((0, 2, 3))),
            ("variance", got[1], norm.running_var, var, x.var((0, 2, 3)))):
        yield judged(value, wanted, (
            (MOMENTUM * old + (1 - MOMENTUM) * new, f"The {kind} moved nine tenths of the way. "
             "PyTorch's momentum is the weight of the new value; other libraries call 1 - 0.1 the "
             "decay."),
            (new, f"That is the {kind} of this batch alone; the old value keeps 90 %."),
            ((1 - MOMENTUM) * var + MOMENTUM * x.var((0, 2, 3), correction=0),
             "The batch is normalised with the plain variance, but the one that is kept is "
             "divided by n - 1: torch.var's default."),
            ((1 - MOMENTUM) * var + MOMENTUM * x.std((0, 2, 3)),
             "That is the standard deviation of the batch; the variance is its square.")),
            f"Channel 0: expected {kind} {wanted[0]:.4f}, got {value[0]:.4f}. Each channel has "
            "one, over all images, rows and columns.", near=1e-5)


SYMPTOMS = {  # of each bug that may be left, without its cure
    "gradients": "The steps still get longer and longer: print the norm of a weight's `.grad` "
                 "before each step, and ask what is in it.",
    "mode": "From step 6 on the network trains unlike before: print `model.training` at each step.",
    "void": "A network that knows its images by heart still calls their borders by the name of the "
            "last class: print `label.unique()` and `known.unique()`."}


class Tiny(nn.Module):
    """A network of four layers, for a training that takes no time: BatchNorm among them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6),
                                    nn.ReLU(), nn.Conv2d(6, 4, 1))

    def forward(self, image: Tensor) -> Logits:
        """Logits of 4 classes at half the resolution."""
        return Logits(self.layers(image), None)


@exercise("8.4", "Three bugs, none of which raised anything, found by what they do.")
def check_training(attempt: Callable[[nn.Module, Batches, float], Curves]) -> Iterator[str | None]:
    """Compare the weights after `attempt(model, batches, base_lr)` with those of a sound loop."""
    model, batches, base_lr = *_small_task(), 0.05

    in_training = []  # whether each pass without gradients was in training mode

    def outcome(train: Callable, **options: object) -> tuple[Tensor, object]:
        network = copy.deepcopy(model)
        network.register_forward_pre_hook(
            lambda module, _: None if torch.is_grad_enabled() else in_training.append(
                module.training))
        given = [(image.clone(), label.clone()) for image, label in batches]
        curves = train(network, given, base_lr, **options)
        return torch.cat([value.flatten().double() for value in network.state_dict().values()
                          if value.is_floating_point()]), curves

    wanted, (losses, scores) = outcome(mended_training)
    in_training.clear()
    got, curves = outcome(attempt)
    scored_in_training = any(in_training)
    untrained, _ = outcome(lambda *given: ([], []))
    if torch.equal(got, untrained):
        yield "The model is as it was. Train the one that you are given, in place."
    for count in range(1, 1 + len(BUGS)):
        for left in combinations(BUGS, count):
            if torch.allclose(got, outcome(mended_training, bugs=frozenset(left))[0], atol=1e-5):
                yield f"{len(BUGS) - count} of 3 mended. {SYMPTOMS[left[0]]}"
    if scored_in_training:
        yield ("Scores are still to be taken in eval mode. Go back to training mode after them.")
    if not torch.allclose(got, wanted, atol=1e-5):
        yield ("The weights are neither those of a sound loop nor of one with some of the bugs. "
               "Change as little as you can: rate, momentum, upsampling and the order of the "
               "steps were right.")
    if not isinstance(curves, tuple) or len(curves) != 2:
        yield "The training is sound. Return a pair, losses and scores, as the broken loop does."
    if any(isinstance(loss, Tensor) and loss.requires_grad for loss in curves[0]):
        yield ("The training is sound, but its losses are tensors, and each keeps the graph of its "
               "step. Append `loss.item()`.")
    yield judged(list(curves[0]), losses, (), "The training is sound; its losses are not those "
                 "before each step.", near=1e-4)
    yield judged(list(curves[1]), scores, (), "The training is sound; its scores are not those of "
                 "eval mode, every five steps.", near=1e-3)


def _small_task() -> tuple[Tiny, Batches]:
    """An untrained network and twelve batches of four classes with void; always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, batches = Tiny(), []
        for _ in range(12):
            label = torch.randint(0, 4, (3, 8, 8))
            image = torch.randn(3, 3, 8, 8) + label[:, None]
            label[:, :2] = IGNORE_INDEX
            batches.append((image, label))
    return model, batches
