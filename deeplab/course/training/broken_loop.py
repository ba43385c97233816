"""A training loop with three bugs, for the workshop of lesson 8 to read, watch and mend.

It runs, its loss falls, and nothing is raised. `broken_training` is shown in the lesson as it
stands here, so no comment in it gives a bug away; `mended_training` has each bug as a switch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab.course.training.overfit import share_right
from deeplab.support.void import IGNORE_INDEX
from deeplab.training.recipe import poly_lr, set_lr

SCORE_EVERY = 5  # steps
BUGS = ("gradients", "mode", "void")  # what is left over, forgotten, and judged
Batches = list[tuple[Tensor, Tensor]]  # image (N, 3, H, W) and label (N, H, W) with 255 = void
Curves = tuple[list[float], list[float]]  # the loss of each step, each score in per cent


def broken_training(model: nn.Module, batches: Batches, base_lr: float) -> Curves:
    """Train `model` in place, one step for each batch, and score it every five steps."""
    optimizer = torch.optim.SGD(model.parameters(), lr=base_lr, momentum=0.9)
    losses, scores = [], []
    model.train()
    optimizer.zero_grad()
    for step, (image, label) in enumerate(batches):
        set_lr(optimizer, poly_lr(step, base_lr=base_lr, total_steps=len(batches)))
        logits = model(image).main
        full = F.interpolate(logits, label.shape[1:], mode="bilinear")
        known = label.clamp(max=full.shape[1] - 1)
        loss = F.cross_entropy(full, known)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 5 == 4:
            model.eval()
            scores.append(share_right(model, image, label))
    return losses, scores


def mended_training(model: nn.Module, batches: Batches, base_lr: float,
                    bugs: frozenset[str] = frozenset()) -> Curves:
    """The same with only those of `BUGS` that are named; with all of them `broken_training`."""
    optimizer = torch.optim.SGD(model.parameters(), lr=base_lr, momentum=0.9)
    losses, scores = [], []
    model.train()
    optimizer.zero_grad()
    for step, (image, label) in enumerate(batches):
        set_lr(optimizer, poly_lr(step, base_lr=base_lr, total_steps=len(batches)))
        full = F.interpolate(model(image).main, label.shape[1:], mode="bilinear")
        known = label.clamp(max=full.shape[1] - 1) if "void" in bugs else label
        loss = F.cross_entropy(full, known, ignore_index=IGNORE_INDEX)
        if "gradients" not in bugs:
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % SCORE_EVERY == SCORE_EVERY - 1:
            model.eval()
            scores.append(share_right(model, image, label))
            if "mode" not in bugs:
                model.train()
    return losses, scores
