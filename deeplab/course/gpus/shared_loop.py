"""The workshop of lesson 9: a training loop of one process, and how an attempt at it is shared.

`plain_loop` is what a learner turns into a loop of several processes. `in_processes` runs such
loops in two real ones, started by torchrun, and reports what each process did.
"""

import inspect
import runpy
import sys
import tempfile
import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from deeplab.runs.launch import launch
from deeplab.support.errors import ResourceError
from deeplab.support.files import atomic_write, read_json, write_json
from deeplab.training.ranks import Ranks

PROCESSES, STEPS, BATCH = 2, 3, 8
LABELLED = (1, 8, 2, 8, 4, 8, 6, 8)  # rows of each label that are not void
LOST_SECONDS = 20  # a process that waits so long for the other one gives up
PRELUDE = '''import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


'''  # what an attempt's processes know
Loop = Callable[..., list[float]]


def plain_loop(model: nn.Module, images: Tensor, labels: Tensor) -> list[float]:
    """Train `model` on batches images (steps, N, 3, H, W), labels (steps, N, H, W); the losses."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for image, label in zip(images, labels, strict=True):
        loss = F.cross_entropy(model(image), label, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def problem() -> tuple[nn.Module, Tensor, Tensor]:
    """A fresh small network without BatchNorm, images (3, 8, 3, 8, 10), labels (3, 8, 8, 10).

    Some labels are mostly void, so that two halves of a batch, however it is divided, have
    different numbers of valid pixels. PyTorch's random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1))
        images = torch.randn(STEPS, BATCH, 3, 8, 10)
        labels = (images.sum(2) > 1).long() + 2 * (images[:, :, 0] > 0.5)
        for index, rows in enumerate(LABELLED):
            labels[:, index, rows:] = 255
    return model, images, labels


def imitated(combined: Callable[[list[Tensor], list[Tensor]], Tensor], *,
             is_strided: bool) -> Tensor:
    """The weights (P,) after the loop with another loss, in this process alone.

    `combined` makes it of the sums over the valid pixels of two halves of the batch, and of
    the numbers of these pixels; the halves are every second image, or else the first four.
    """
    model, images, labels = problem()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    halves = [slice(rank, None, PROCESSES) if is_strided else
              slice(rank * BATCH // PROCESSES, (rank + 1) * BATCH // PROCESSES)
              for rank in range(PROCESSES)]
    for image, label in zip(images, labels, strict=True):
        sums = [F.cross_entropy(model(image[half]), label[half], ignore_index=255,
                                reduction="sum") for half in halves]
        optimizer.zero_grad()
        combined(sums, [(label[half] != 255).sum() for half in halves]).backward()
        optimizer.step()
    return all_weights(model)


def shared_mistakes() -> Iterator[tuple[Tensor, str]]:
    """Weights that usual mistakes lead to, and what to say of them."""
    for is_strided in (True, False):
        yield (imitated(lambda sums, counts: sum(map(torch.div, sums, counts)) / 2,
                        is_strided=is_strided),
               "Each process divides by its own valid pixels: a mean of means. Divide by the "
               "number in the whole batch, whose labels each process has, and mind that "
               "DistributedDataParallel takes the mean over the processes, not the sum.")
        yield (imitated(lambda sums, counts: sum(sums) / sum(counts) / 2, is_strided=is_strided),
               "The gradients are half as large as they should be: DistributedDataParallel "
               "divides by the number of processes once more. Multiply your loss by it.")
        for same in (lambda sums, counts: sums[0] / counts[0],
                     lambda sums, counts: 2 * sums[0] / sum(counts)):
            yield (imitated(same, is_strided=is_strided),
                   "Both processes have the same half of each batch; the other half is never "
                   "seen.")


def all_weights(model: nn.Module) -> Tensor:
    """Every weight of a network in one vector (P,)."""
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def report(loop: Loop, rank: int, world: int) -> dict[str, Any]:
    """What a loop returns in this process, its weights afterwards, and how many images it saw."""
    model, images, labels = problem()
    seen: list[int] = []
    model[0].register_forward_hook(lambda module, inputs, output: seen.append(len(output)))
    with warnings.catch_warnings(category=FutureWarning, action="ignore"):  # of DDP's new name
        given = loop(model, images, labels, rank, world)
    return {"losses": _listed(given), "weights": all_weights(model).tolist(),
            "images": sum(seen)}


def _listed(given: Any) -> Any:
    """What a loop returned as lists and numbers, or its text if it is something else."""
    try:
        return [float(loss) for loss in given]
    except (TypeError, ValueError):
        return repr(given)


def in_this_process(loop: Loop) -> dict[str, Any]:
    """The report of a loop that is all alone, a group of one process."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        return report(loop, 0, 1)
    finally:
        dist.destroy_process_group()


def in_processes(sources: Sequence[str]) -> list[list[dict[str, Any]]]:
    """Reports of both processes, for each of the functions whose text is in `sources`.

    A report of a function that raised has the key "error" instead; of one whose processes
    waited for each other in vain the list is empty, and so are those after it.
    """
    with tempfile.TemporaryDirectory(prefix="dl") as name:
        folder = Path(name)
        write_json(folder / "sources.json", list(sources))
        try:
            launch("deeplab.course.gpus.shared_loop", [name], processes=PROCESSES,
                   folder=folder, threads=1, say=lambda text: None)
        except ResourceError:  # E-RANK
            pass
        files = [[folder / f"report-{number}-{rank}.json" for rank in range(PROCESSES)]
                 for number in range(len(sources))]
        return [[read_json(file) for file in pair] if all(map(Path.is_file, pair)) else []
                for pair in files]


def source_of(loop: Loop) -> str:
    """The text of a function, as its processes read it."""
    return textwrap.dedent(inspect.getsource(inspect.unwrap(loop)))


def load(source: str, file: Path) -> Loop:
    """The function that `source` defines, as a module that is written to `file`."""
    name = source.split("def ", 1)[1].split("(", 1)[0]
    atomic_write(file, PRELUDE + source)
    return runpy.run_path(str(file))[name]


def main(folder: Path) -> None:
    """Be one of the processes: try every source, and write what came of it."""
    ranks = Ranks.join(device="cpu", timeout=LOST_SECONDS)
    for number, source in enumerate(read_json(folder / "sources.json")):
        try:
            found = report(load(source, folder / f"attempt-{number}-{ranks.rank}.py"),
                           ranks.rank, ranks.world)
        except Exception as error:  # whatever an attempt raises is told to its author
            found = {"error": traceback.format_exception_only(error)[-1].strip()}
        write_json(folder / f"report-{number}-{ranks.rank}.json", found)
        try:
            dist.barrier()
        except RuntimeError:  # the other process has left, or waits for something else
            return
    ranks.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
