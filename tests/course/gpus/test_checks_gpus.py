"""The checks of lesson 9 pass the right answer and name each usual mistake."""

import linecache
import math
import operator

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel

from deeplab.course.gpus import checks, shared_loop


def scaled_step(weight, gradient, scale, lr):
    if not math.isfinite(gradient):
        return weight, scale / 2
    return weight - lr * gradient / scale, scale


def test_an_unscaled_or_skipped_step_is_correct():
    assert checks.check_scaled_step(scaled_step).startswith("Exercise 9.1: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda weight, gradient, scale, lr: (weight - lr * gradient, scale), "Divide it"),
    (lambda weight, gradient, scale, lr: (weight - lr * gradient * scale, scale), "already"),
    (lambda weight, gradient, scale, lr: scaled_step(weight, -gradient, scale, lr), "uphill"),
    (lambda weight, gradient, scale, lr: (weight - lr * gradient / scale, scale / 2), "stays"),
    (lambda weight, gradient, scale, lr: (weight - lr * gradient / scale, scale), "made the"),
    (lambda weight, gradient, scale, lr: (weight - lr * gradient / scale, scale)
     if math.isnan(gradient) else scaled_step(weight, gradient, scale, lr), "NaN is neither"),
    (lambda weight, gradient, scale, lr: (scaled_step(weight, gradient, scale, lr)[0], scale),
     "Halve it"),
    (lambda weight, gradient, scale, lr: (weight, scale), "expected the weight 0.95"),
    (lambda weight, gradient, scale, lr: weight, "Expected a pair"),
])
def test_a_wrong_step_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_scaled_step(mistake)
    assert "not yet" in verdict and message in verdict


def strides(shape, channels_last):
    _, channels, height, width = shape
    if channels_last:
        return channels * height * width, 1, width * channels, channels
    return channels * height * width, height * width, width, 1


def test_the_strides_of_pytorch_are_correct():
    assert checks.check_strides(strides).startswith("Exercise 9.2: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda shape, is_last: strides(shape, False), "usual order"),
    (lambda shape, is_last: tuple(4 * step for step in strides(shape, is_last)), "bytes"),
    (lambda shape, is_last: tuple(sorted(strides(shape, is_last), reverse=True)), "wrong places"),
    (lambda shape, is_last: strides((shape[0], shape[1], shape[3], shape[2]), is_last)
     if is_last else strides(shape, False), "not `height`"),
    (lambda shape, is_last: strides(shape, True), "the other order"),
    (lambda shape, is_last: tuple(map(operator.mul, strides(shape, is_last), shape)),
     "not the axis itself"),
    (lambda shape, is_last: (1, 2, 3, 4), "got (1, 2, 3, 4). How many numbers"),
    (lambda shape, is_last: strides(shape, is_last)[:3], "Expected four"),
    (lambda shape, is_last: None, "got None"),
])
def test_wrong_strides_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_strides(mistake)
    assert "not yet" in verdict and message in verdict


def synchronised(means, variances):
    mean = means.mean(0)
    return mean, (variances + means**2).mean(0) - mean**2


@pytest.mark.parametrize("pair", [tuple, list, torch.stack])
def test_variance_within_and_between_is_correct(pair):
    assert checks.check_synchronised(lambda *given: pair(synchronised(*given))).startswith(
        "Exercise 9.3: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda means, variances: (means.mean(0), variances.mean(0)), "averaged the variances"),
    (lambda means, variances: (means.mean(0), variances.mean(0) + (means[0] - means[1]) ** 2),
     "too much"),
    (lambda means, variances: (means.mean(0), (variances + means**2).mean(0)), "Subtract"),
    (lambda means, variances: (means.sum(0), variances.mean(0)), "sum of the two means"),
    (lambda means, variances: (means.mean(0), variances.sum(0)), "sum of the variances"),
    (lambda means, variances: (means[1], variances[1]), "second half alone"),
    (lambda means, variances: (means.mean(0), synchronised(means, variances)[1] * 100 / 99),
     "divided by n - 1"),
    (lambda means, variances: (means.mean(0), synchronised(means, variances)[1] ** 0.5),
     "That is the deviation"),
    (lambda means, variances: (means.mean(0), variances[0]), "It has two parts"),
    (lambda means, variances: (means.mean(0), variances.mean(0) + means.var(0)),
     "`var` divides by n - 1"),
    (lambda means, variances: synchronised(means, variances)[::-1], "have changed places"),
    (lambda means, variances: (means[2], variances[2]), "raised IndexError"),
    (lambda means, variances: (means.mean(), variances.mean()), "Expected two vectors"),
    (lambda means, variances: means.mean(0), "Expected a pair"),
])
def test_wrong_statistics_are_told_what_is_wrong(mistake, message):
    verdict = checks.check_synchronised(mistake)
    assert "not yet" in verdict and message in verdict


def gpus(fixed, per_image, memory, *, usable=0.9, counts=(1, 2, 4, 8, 16)):
    return next(count for count in counts if fixed + per_image * 16 / count <= usable * memory)


def test_the_fewest_gpus_that_divide_the_batch_are_correct():
    assert checks.check_gpus(gpus).startswith("Exercise 9.4: correct.")


@pytest.mark.parametrize(("mistake", "message"), [
    (lambda *given: gpus(*given, usable=1), "nine tenths"),
    (lambda fixed, each, memory: gpus(0, each, memory), "on every GPU"),
    (lambda fixed, each, memory: next(count for count in (1, 2, 4, 8, 16)
     if (fixed + 16 * each) / count <= 0.9 * memory), "on every GPU"),
    (lambda *given: gpus(*given, counts=range(1, 17)), "evenly"),
    (lambda *given: 1, "expected 2, got 1"),
    (lambda *given: None, "got None"),
])
def test_a_wrong_number_of_gpus_is_told_what_is_wrong(mistake, message):
    verdict = checks.check_gpus(mistake)
    assert "not yet" in verdict and message in verdict


def two_train_as_one(model, images, labels, rank, world):
    shared = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for image, label in zip(images, labels, strict=True):
        mine, valid = slice(rank, None, world), (label != 255).sum()
        total = F.cross_entropy(shared(image[mine]), label[mine], ignore_index=255,
                                reduction="sum")
        optimizer.zero_grad()
        (world * total / valid).backward()
        optimizer.step()
        loss = total.detach() / valid
        dist.all_reduce(loss)
        losses.append(loss.item())
    return losses


SOUND = shared_loop.source_of(two_train_as_one)
HALVES = SOUND.replace("slice(rank, None, world)",
                       "slice(rank * 8 // world, (rank + 1) * 8 // world)")
WRONG = {  # what is replaced in the sound loop, and by what
    "all images": ("slice(rank, None, world)", "slice(None)"),
    "the same half": ("slice(rank, None, world)", "slice(0, None, world)"),
    "half the images": ("slice(rank, None, world)", "slice(rank, 4, world)"),
    "unwrapped": ("shared(image", "model(image"),
    "mean of means": ("(world * total / valid)", "(total / (label[mine] != 255).sum())"),
    "not times the processes": ("(world * total", "(total"),
    "own loss": ("dist.all_reduce(loss)", "pass"),
    "one loss": ("dist.all_reduce(loss)", "dist.reduce(loss, 0)"),
    "no momentum": ("momentum=0.9", "momentum=0"),
    "no list": ("return losses", "return None"),
    "a name of the notebook": ("losses = []", "losses = [] if world == 1 else notebook_list()"),
    "raises": ("losses = []", "losses = [] + None"),
    "waits": ("dist.all_reduce(loss)", "dist.all_reduce(loss) if rank == 0 else None"),
}


@pytest.fixture(scope="module")
def reports():
    """What two processes make of every loop of this file; the last ones wait for each other."""
    sources = [SOUND, HALVES, *(SOUND.replace(*pair) for pair in WRONG.values())]
    return dict(zip(sources, shared_loop.in_processes(sources), strict=True))


def loop(source, folder):
    """A function whose text `inspect` finds, as that of a notebook's cell."""
    file = folder / "cell.py"
    made = shared_loop.load(source, file)
    linecache.checkcache()
    return made


@pytest.mark.parametrize("source", [SOUND, HALVES])
def test_a_loop_that_two_processes_share_is_correct(source, reports, monkeypatch, tmp_path):
    monkeypatch.setattr(checks, "in_processes", lambda sources: [reports[sources[0]]])
    verdict = checks.check_shared_loop(loop(source, tmp_path))
    assert verdict.startswith("Exercise 9.5: correct."), verdict


def test_the_stub_starts_no_processes(monkeypatch):
    def my_shared_loop(model, images, labels, rank, world):
        raise NotImplementedError
    monkeypatch.delattr(checks, "in_processes")
    assert "not attempted" in checks.check_shared_loop(my_shared_loop)


@pytest.mark.parametrize("name, message", [
    ("all images", "all 8 images"),
    ("the same half", "the same half"),
    ("half the images", "one process alone"),
    ("unwrapped", "nothing averages"),
    ("mean of means", "mean of means"),
    ("not times the processes", "half as large"),
    ("own loss", "`dist.all_reduce` adds"),
    ("one loss", "process 1 does not"),
    ("no momentum", "One process alone"),
    ("no list", "a list; got None"),
    ("a name of the notebook", "import anything else inside"),
    ("raises", "It raised TypeError"),
    ("waits", "waited in vain"),
])
def test_a_wrongly_shared_loop_is_told_what_is_wrong(name, message, reports, monkeypatch,
                                                     tmp_path):
    monkeypatch.setattr(checks, "in_processes", lambda sources: [reports[sources[0]]])
    verdict = checks.check_shared_loop(loop(SOUND.replace(*WRONG[name]), tmp_path))
    assert "not yet" in verdict and message.lower() in verdict.lower(), verdict
