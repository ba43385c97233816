"""Checks of lesson 9: a scaled step, strides, statistics of two halves, how many GPUs.

And of its workshop: a training loop that two processes share.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deeplab.course.exercise import exercise, is_near, judged
from deeplab.course.gpus.shared_loop import (BATCH, STEPS, Loop, all_weights, in_processes,
                                             in_this_process, plain_loop, problem,
                                             shared_mistakes, source_of)
from deeplab.planning.plan import USABLE

IMAGES = 16  # of a batch of the table's rows
CLOSE = 1e-4  # losses and weights after three steps: sums are added in another order


@exercise("9.1", "One step in about two thousand is lost, and none is spoilt.")
def check_scaled_step(attempt: Callable[..., tuple[float, float]]) -> Iterator[str | None]:
    """Try `attempt(weight, gradient, scale, lr)` on a finite, an infinite and a NaN gradient."""
    got = attempt(1.0, 512.0, 1024.0, 0.1)  # the true gradient is 0.5
    if not (isinstance(got, tuple) and len(got) == 2):
        yield f"Expected a pair, the new weight and the new scale; got {got!r}."
    weight, scale = map(float, got)
    case = "weight 1, scaled gradient 512, scale 1024, lr 0.1: "
    yield judged(weight, 0.95, (
        (1 - 0.1 * 512, "the step was made with the scaled gradient. Divide it by the scale."),
        (1 - 0.1 * 512 * 1024, "you multiplied by the scale; it is in the gradient already."),
        (1 + 0.05, "that goes uphill: the step is minus lr times the gradient.")),
        f"expected the weight 0.95, got {weight:g}.", case=case)
    if scale != 1024:
        yield f"{case}all is finite, so the scale stays at 1024; got {scale:g}."
    for bad in (math.inf, -math.inf, math.nan):
        weight, scale = map(float, attempt(1.0, bad, 1024.0, 0.1))
        if weight != 1:
            yield (f"A gradient of {bad:g} made the weight {weight:g}. Such a step must be "
                   "skipped; note that NaN is neither infinite nor equal to itself.")
        if scale != 512:
            yield (f"After a gradient of {bad:g} the scale is {scale:g}. Halve it, or the next "
                   "step overflows as well.")


@exercise("9.2", "The shape says what the axes mean, the strides where the numbers lie.")
def check_strides(attempt: Callable[..., tuple[int, ...]]) -> Iterator[str | None]:
    """Compare `attempt(shape, channels_last)` with the strides that PyTorch has."""
    for shape, is_last in itertools.product(((2, 3, 5, 7), (8, 16, 4, 6)), (False, True)):
        kind = torch.channels_last if is_last else torch.contiguous_format
        wanted = torch.empty(shape).contiguous(memory_format=kind).stride()
        got = attempt(shape, is_last)
        got = got if got is None else tuple(got)
        if got is None or len(got) != 4:
            yield f"Expected four numbers, one for each axis; got {got!r}."
        _, channels, height, width = shape
        image = channels * height * width
        other = (torch.channels_last, torch.contiguous_format)[is_last]
        last = (((image, height * width, width, 1),
                 "that is the usual order; now the channels of a pixel are neighbours."),
                ((image, width * channels, channels, 1),
                 "right numbers, wrong places: strides are named in the order of the shape, "
                 "images, channels, rows, columns."),
                ((image, 1, height * channels, channels),
                 "to the next row there are `width` pixels, not `height`."))
        yield judged(tuple(got), wanted, (
            ([4 * step for step in wanted], "those are bytes; strides count numbers."),
            *(last if is_last else ()),
            (torch.empty(shape).contiguous(memory_format=other).stride(),
             "that is the other order: ask which axis's neighbours lie side by side."),
            ([step * side for step, side in zip(wanted, shape, strict=True)],
             "one step along an axis passes the axes within it, not the axis itself.")),
            f"got {tuple(got)}. How many numbers lie between an element and the next one along "
            "each axis?", near=0,
            case=f"Shape {shape}, channels_last={is_last}: ")


@exercise("9.3", "This is all that SyncBatchNorm exchanges: a few numbers per channel.")
def check_synchronised(attempt: Callable[..., tuple[Tensor, Tensor]]) -> str | None:
    """Compare `attempt(means, variances)` of two equal halves with the whole batch's."""
    generator = torch.Generator().manual_seed(0)
    halves = torch.randn(2, 50, 3, generator=generator, dtype=torch.float64)
    halves[1] = 2 * halves[1] + torch.tensor([0.0, 4, -3])
    whole = halves.flatten(0, 1)
    means, variances = halves.mean(1), halves.var(1, correction=0)
    got = attempt(means.clone(), variances.clone())
    if not (isinstance(got, tuple | list | Tensor | np.ndarray) and len(got) == 2):
        return "Expected a pair, the mean and the variance of the whole batch."
    mean, variance = map(torch.as_tensor, got)
    if mean.shape != (3,) or variance.shape != (3,):
        return (f"Expected two vectors (3,), a number for each channel; got {tuple(mean.shape)} "
                f"and {tuple(variance.shape)}.")
    wanted = whole.var(0, correction=0)
    if is_near(mean, wanted, 1e-5) and is_near(variance, whole.mean(0), 1e-5):
        return "Mean and variance have changed places: the mean comes first."
    mistake = judged(mean, whole.mean(0), (
        (means.sum(0), "That is the sum of the two means; the halves are equal, so halve it."),
        (means[0], "That is the mean of the first half alone."),
        (means[1], "That is the mean of the second half alone.")),
        f"Channel 0: the halves have the means {means[0, 0]:.4f} and {means[1, 0]:.4f}, the whole "
        f"{whole.mean(0)[0]:.4f}; got {mean[0]:.4f}.", near=1e-5)
    if mistake:
        return mistake
    between = (means[0] - means[1]) ** 2
    return judged(variance, wanted, (
        (variances.mean(0), "You averaged the variances. Two halves that each hardly vary may "
                            "lie far apart, and that distance is missing."),
        (variances.mean(0) + means.var(0), "`var` divides by n - 1 unless told otherwise: of two "
         "means that doubles what their distance contributes."),
        (variances.mean(0) + between, "The distance between the means counts too much: each "
                                      "half is only half of it from the middle."),
        ((variances + means**2).mean(0), "That is the mean of the squares. Subtract the square "
                                         "of the common mean."),
        (wanted.sqrt(), "That is the deviation; the variance is its square."),
        (variances.sum(0), "That is the sum of the variances. Average them, and add what the "
                           "distance of the two means contributes."),
        (wanted * 100 / 99, "That is divided by n - 1; here all variances are divided by n.")),
        f"Channel 0: expected the variance {wanted[0]:.4f}, got {variance[0]:.4f}. It has two "
        "parts: the scatter within the halves, and the distance between their means.", near=1e-5)


@exercise("9.4", "You know the bill before you order.")
def check_gpus(attempt: Callable[[float, float, float], int]) -> str | None:
    """Compare `attempt(fixed, per_image, memory)` with the fewest GPUs that share 16 images."""
    for fixed, each, memory in ((4.0, 0.8, 16), (2.0, 0.8, 16), (10.0, 1.0, 16), (2.0, 2.0, 16),
                               (3.0, 0.5, 24)):
        wanted = _fewest(fixed, each, USABLE * memory)
        got = attempt(fixed, each, memory)
        if got == wanted:
            continue
        case = (f"{fixed:g} GiB fixed, {each:g} an image, GPUs of {memory:g} GiB: expected "
                f"{wanted}, got {got!r}. ")
        if got == _fewest(fixed, each, memory):
            return case + "Only nine tenths of the memory can be used."
        if got == _fewest(0, each, USABLE * memory):
            return case + "Weights, gradients and momentum lie on every GPU, whatever its share."
        if isinstance(got, int) and got > 0 and IMAGES % got:
            return case + f"{IMAGES} images cannot be shared evenly among so many."
        return case.rstrip()
    return None


def _fewest(fixed: float, each: float, usable: float) -> int:
    return next(gpus for gpus in (1, 2, 4, 8, 16) if fixed + each * IMAGES / gpus <= usable)


@exercise("9.5", "Two processes, one training: the weights are those of the loop you began with.")
def check_shared_loop(attempt: Loop) -> Iterator[str | None]:
    """Compare `attempt(model, images, labels, rank, world)` with `plain_loop`.

    First with one process, which is this one, and then with two that torchrun starts.
    """
    model, images, labels = problem()
    losses = plain_loop(model, images, labels)
    alone = in_this_process(attempt)
    told = [round(loss, 4) for loss in losses]
    if not isinstance(alone["losses"], list) or len(alone["losses"]) != STEPS:
        yield f"Expected the losses of {STEPS} steps, a list; got {alone['losses']}."
    yield _difference(alone, losses, all_weights(model), "One process alone, rank 0 of 1: ", told)
    found = in_processes([source_of(attempt)])[0]
    yield _processes_failed(found)
    for rank, one in enumerate(found):
        if not isinstance(one["losses"], list) or len(one["losses"]) != STEPS:
            yield (f"Process {rank} returned {one['losses']}; each must return the losses of "
                   f"{STEPS} steps.")
    yield _not_shared(found)
    for mistake in shared_mistakes():
        yield judged(found[0]["weights"], all_weights(model), [mistake], "", near=CLOSE) or None
    yield _difference(found[0], losses, all_weights(model), "Two processes: ", told)
    if not is_near(found[1]["losses"], losses, CLOSE):
        yield "Process 0 returns the losses of the whole batch, process 1 does not."


def _difference(report: dict[str, Any], losses: list[float], weights: Tensor, case: str,
                told: list[float]) -> str | None:
    if not is_near(report["weights"], weights, CLOSE):
        return (f"{case}the weights are not those of `plain_loop`. Are optimizer, order of the "
                "batches and number of steps the same?")
    if not is_near(report["losses"], losses, CLOSE):
        return (f"{case}the weights are right, but the losses are {report['losses']} and those "
                f"of the whole batches {told}. A loss is the sum over all pixels that are valid, "
                "of all processes, divided by their number; `dist.all_reduce` adds.")
    return None


def _processes_failed(found: list[dict[str, Any]]) -> str | None:
    """What two processes raised, if they did."""
    errors = [report["error"] for report in found if "error" in report]
    own = [error for error in errors if "gloo" not in error]
    if own:
        known = (" They know torch, dist, F, nn, Tensor and DistributedDataParallel; import "
                 "anything else inside your function, and define there what helps it.")
        return (f"Alone it runs, in two processes it raised {own[0][:150]}."
                + known * own[0].startswith(("NameError", "ModuleNotFoundError", "ImportError")))
    if errors or not found:
        return ("One process waited in vain for the other. Each collective call, forward and "
                "backward of DistributedDataParallel too, must be made by both, equally often.")
    return None


def _not_shared(found: list[dict[str, Any]]) -> str | None:
    """What is wrong if images are computed twice or not at all, or weights part."""
    seen, whole = [report["images"] for report in found], STEPS * BATCH
    if seen == [whole, whole]:
        return (f"Each process computed all {BATCH} images of every batch, and nothing is gained. "
                "Give a process its share: `image[rank::world]`, and the label alike.")
    if sum(seen) != whole:
        return f"Both processes together computed {sum(seen)} images; there are {whole}."
    if not is_near(found[0]["weights"], found[1]["weights"], CLOSE):
        return ("After three steps the processes have different weights: nothing averages their "
                "gradients. Wrap the network in DistributedDataParallel, and call the wrapped "
                "one: the network itself does not know of it.")
    return None
