"""The workshop of lesson 11: a small training that is killed at bad moments and called again.

`plain_run` is what a learner makes resumable. A kill is an error that no attempt catches by
accident, raised within a step or while a checkpoint is half written.
"""

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab.support.files import atomic_write

STEPS = 6
Run = Callable[[Path, nn.Module, Tensor, Tensor, int], list[float]]


class Killed(BaseException):
    """The end of a process: nothing of it runs any more."""


@dataclass(frozen=True)
class Kill:
    """A process's end: in its forward pass number `forward`, in its `save`, or before its `rename`.

    All are counted from 1.
    """

    forward: int = 0
    save: int = 0
    rename: int = 0
    words: str = ""


KILLS = (Kill(forward=4, words="Killed within its step 4"),
         Kill(save=3, words="Killed while it wrote its third file"),
         Kill(save=4, words="Killed while it wrote its fourth file"),
         Kill(save=1, words="Killed while it wrote its first file"),
         Kill(rename=3, words="Killed before it renamed its third file"))


def plain_run(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    """Train on `steps` batches of 4 random images of (N, 3, H, W), labels (N,); the losses."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for step in range(steps):
        batch = torch.randint(len(images), (4,))
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def problem() -> tuple[nn.Module, Tensor, Tensor]:
    """A network with BatchNorm and dropout, images (16, 3, 6, 6) and labels (16,).

    It is made as at the start of a program: PyTorch's random numbers begin with seed 0.
    """
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.3),
                          nn.Flatten(), nn.Linear(96, 3))
    images = torch.randn(16, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    return model, images, images.mean((1, 2, 3)).argsort() % 3


@contextlib.contextmanager
def killed(model: nn.Module, kill: Kill) -> Iterator[tuple[list[int], list[int]]]:
    """Raise `Killed` inside when `kill` says; lists with an entry for each forward pass, save."""
    forwards, saves, renames, save = [], [], [], torch.save

    def count(module: nn.Module, inputs: Any) -> None:
        forwards.append(1)
        if len(forwards) == kill.forward:
            raise Killed

    def half(content: Any, file: Any, *more: Any, **settings: Any) -> None:
        """Save as `torch.save` does, but at the fatal save write half of the bytes."""
        saves.append(1)
        if len(saves) != kill.save:
            return save(content, file, *more, **settings)
        whole = io.BytesIO()
        save(content, whole)
        part = whole.getvalue()[:len(whole.getvalue()) // 2]
        if hasattr(file, "write"):
            file.write(part)
        else:
            atomic_write(Path(file), part)
        raise Killed

    def before(rename: Callable[..., None]) -> Callable[..., None]:
        def renamed(*names: Any, **settings: Any) -> None:
            renames.append(1)
            if len(renames) == kill.rename:
                raise Killed
            rename(*names, **settings)
        return renamed

    handle = model.register_forward_pre_hook(count)
    with (mock.patch.object(torch, "save", half),
          mock.patch.object(os, "rename", before(os.rename)),
          mock.patch.object(os, "replace", before(os.replace))):
        try:
            yield forwards, saves
        finally:
            handle.remove()


def outcome(run: Run, folder: Path, steps: int, kill: Kill = Kill()) -> dict[str, Any]:
    """One process: what `run` returns (None if it was killed), its weights, forward passes, saves.

    The random state is afterwards what it was.
    """
    with torch.random.fork_rng(devices=[]):
        model, images, labels = problem()
        with killed(model, kill) as (forwards, saves):
            try:
                losses = run(folder, model, images, labels, steps)
            except Killed:
                losses = None
        return {"losses": losses, "forwards": len(forwards), "saves": len(saves),
                "weights": torch.cat([
                    value.double().flatten() for value in model.state_dict().values()])}


def resumed(run: Run, kill: Kill) -> tuple[dict[str, Any], dict[str, Any]]:
    """The outcomes of a process that is killed and of one that is started after it."""
    with tempfile.TemporaryDirectory() as folder:
        first = outcome(run, Path(folder), STEPS, kill)
        return first, outcome(run, Path(folder), STEPS)


def _steps(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor,
           steps: int) -> list[float]:
    """As many steps of `plain_run`."""
    with mock.patch.object(torch.optim, "SGD", lambda *given, **settings: optimizer):
        return plain_run(model, images, labels, steps)


def forgetful(forgotten: str, after: int) -> list[float]:
    """The losses of a run that goes on after step `after` without its "momenta" or "numbers".

    The numbers are those that PyTorch draws next; without them they begin anew.
    """
    with torch.random.fork_rng(devices=[]):
        model, images, labels = problem()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        losses = _steps(model, optimizer, images, labels, after)
        if forgotten == "momenta":
            optimizer.state.clear()
        else:
            problem()
        return losses + _steps(model, optimizer, images, labels, STEPS - after)
