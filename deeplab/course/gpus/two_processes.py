"""Compare a training step on a batch shared by two processes with the same step in one.

`demonstrate` starts them by torchrun, as a run with several GPUs is started, only on CPUs.
Each takes half of eight samples; the first one also computes everything alone and compares.
"""

import copy
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from deeplab.course.quick import demo_experiment
from deeplab.runs.launch import launch, process_group
from deeplab.support.files import read_json, write_json
from deeplab.training.loop import batches
from deeplab.training.ranks import Ranks
from deeplab.training.recipe import segmentation_loss

ROW = "voc_r50_d16"
PROCESSES = 2
REPORT = "report.json"


def demonstrate() -> dict[str, Any]:
    """Run two processes and return what the first one found; see `findings`.

    Raises `ResourceError` (E-RANK) if they cannot be started or do not end well.
    """
    with tempfile.TemporaryDirectory(prefix="dl") as folder:
        launch("deeplab.course.gpus.two_processes", [folder], processes=PROCESSES,
               folder=Path(folder), threads=1)
        return read_json(Path(folder) / REPORT)


def findings(ranks: Ranks) -> dict[str, Any]:
    """Compare one step on a shared batch with the same step on the whole batch.

    Returns `images`, how many each process had, and in per cent of the whole batch's gradient
    how far the averaged one is from it: `frozen` with BatchNorm in eval mode and no void,
    `own statistics` with the statistics of each half, `void` with void in one half. The first
    channel of the first convolution has the mean `means` in each process, `synchronised` over
    both by `all_reduce`, and `whole` over the undivided batch.
    """
    model, image, label = demo_batch()
    part = range(len(image))[ranks.rank::ranks.world]
    mine = image[list(part)]
    uneven = label.clone()
    uneven[::ranks.world, : label.shape[1] // 2] = 255  # half of the first process's pixels
    found: dict[str, Any] = {"images": len(part)}
    for name, is_frozen, labels in (("frozen", True, label), ("own statistics", False, label),
                                    ("void", True, uneven)):
        shared = gradient(ranks.wrapped(prepared(model, is_frozen), "cpu"), mine,
                          labels[list(part)])
        whole = gradient(prepared(model, is_frozen), image, labels)
        found[name] = 100 * ((shared - whole).norm() / whole.norm()).item()
    return found | channel_means(ranks, model, mine, image)


def channel_means(ranks: Ranks, model: nn.Module, mine: Tensor, image: Tensor) -> dict[str, Any]:
    """The mean of one channel in each process, over all of them by `all_reduce`, and alone.

    What SyncBatchNorm does on CUDA, where alone PyTorch has it: sums are added over the
    processes, and then divided by the number of cells of all.
    """
    first = model.backbone.stem[0]
    with torch.no_grad():
        cells = first(mine)[:, 0]
        alone = first(image)[:, 0].mean().item()
    means = ranks.gathered(cells.mean())
    total = torch.stack([cells.sum(), torch.tensor(float(cells.numel()))])
    dist.all_reduce(total)
    return {"means": [mean.item() for mean in means],
            "synchronised": (total[0] / total[1]).item(), "whole": alone}


def demo_batch() -> tuple[nn.Module, Tensor, Tensor]:
    """A fresh demo network, eight images (8, 3, H, W), and labels (8, H, W) without void."""
    experiment = demo_experiment(ROW)
    image, label = next(batches(experiment.samples, experiment.settings, start_step=0))
    return experiment.model, image, label.where(label != 255, 0)


def prepared(model: nn.Module, is_frozen: bool) -> nn.Module:
    """A copy in training mode without dropout; `is_frozen`: with running statistics."""
    network = copy.deepcopy(model).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout2d) or (is_frozen and isinstance(module, nn.BatchNorm2d)):
            module.eval()
    return network


def gradient(network: nn.Module, image: Tensor, label: Tensor) -> Tensor:
    """The gradient of the loss with respect to all weights, one vector."""
    segmentation_loss(network(image), label).total.backward()
    return torch.cat([weight.grad.flatten() for weight in network.parameters()])


def main(folder: Path) -> None:
    """Be one of the processes; the first one writes the report."""
    with process_group(folder) as ranks:
        found = findings(ranks)
        if ranks.is_first:
            write_json(folder / REPORT, found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
