"""A training step of every row on one GPU: time, images per second, use of the card, memory.

Beside them, in the same run, the networks of torchvision and segmentation_models_pytorch. It has
not been run on a GPU by us; `--device cpu --tiny` shows in a minute that it runs to its end.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from peers import CLASSES, peers
from timing import GIGA, needed_gflops, print_table
from torch import nn

from deeplab.model.network import build_model
from deeplab.planning.memory import GIB
from deeplab.table.rows import load_rows
from deeplab.training.loop import train_step
from deeplab.training.ranks import SINGLE_PROCESS
from deeplab.training.session import Training
from deeplab.training.settings import TrainingSettings

WARM_UP = 3  # steps in which cuDNN chooses its kernels and memory is taken
PASSES = 3  # a training step computes as much as three forward passes
BASE_LR = 0.01


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=4, help="images per step")
    parser.add_argument("--crop", type=int, help="side in pixels; default: the row's crop")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--precision", default="float16")
    parser.add_argument("--tiny", action="store_true", help="only show that all of it runs: our "
                        "networks at the demo's width, two crops of 64 pixels, float32, one step")
    options = parser.parse_args()
    options.warm_up, options.profile = WARM_UP, "full"
    if options.tiny:
        options.warm_up, options.profile, options.steps = 0, "demo", 1
        options.batch, options.crop, options.precision = 2, 64, "float32"
    card = torch.cuda.get_device_name() if options.device == "cuda" else options.device
    peak = matrix_tflops(options)
    rows = [measured(row_id, of_row(row_id, options), options, peak) for row_id in load_rows()]
    rows += [measured(name, of_peer(model, options), options, peak)
             for name, model in peers().items() if "backbone" not in name]
    print_table(f"A training step on {card}, {options.precision}, {options.batch} images; a matrix "
                f"product reaches {peak:.1f} TFLOP/s; PyTorch {torch.__version__}",
                ("network", "ms", "images/s", "% of the matrix product", "peak GiB"), rows)


def of_row(row_id: str, options: argparse.Namespace) -> tuple[Callable[[], object], float]:
    """Our step on a batch of the row's crops, and the TFLOPs that one needs."""
    row = load_rows()[row_id]
    settings = TrainingSettings(
        seed=0, batch_size=options.batch, total_steps=1, stop_step=1, base_lr=BASE_LR,
        weight_decay=row.weight_decay, evaluate_every=1, checkpoint_every=1, log_every=1,
        device=options.device, precision=options.precision)
    size = (options.crop or row.crop_height, options.crop or row.crop_width)
    model = build_model(row, options.profile)
    work = step_tflops(model, size, options.batch)
    run = Training(model, settings, SINGLE_PROCESS)
    image, label = batch(options, size, row.num_classes)
    return lambda: train_step(run.network, run.optimizer, run.scaler, image, label, lr=BASE_LR,
                              settings=settings), work


def of_peer(model: nn.Module, options: argparse.Namespace) -> tuple[Callable[[], object], float]:
    """The step as it is usually written, on crops of 512 x 512 unless told otherwise."""
    size = (options.crop or 512,) * 2
    work = step_tflops(model, size, options.batch)
    model.to(options.device, memory_format=torch.channels_last).train()
    image, label = batch(options, size, CLASSES)
    optimizer = torch.optim.SGD(model.parameters(), lr=BASE_LR, momentum=0.9)
    half = getattr(torch, options.precision)
    scaler = torch.amp.GradScaler(options.device, enabled=half == torch.float16)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(options.device, dtype=half, enabled=half != torch.float32):
            output = model(image)
        logits = output["out"] if isinstance(output, dict) else output
        loss = F.cross_entropy(F.interpolate(logits.float(), label.shape[-2:], mode="bilinear"),
                               label, ignore_index=255)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return step, work


def batch(options: argparse.Namespace, size: tuple[int, int],
          num_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Image (N, 3, H, W) and label (N, H, W) of random numbers, on the device."""
    torch.manual_seed(0)
    return (torch.randn(options.batch, 3, *size, device=options.device),
            torch.randint(num_classes, (options.batch, *size), device=options.device))


def step_tflops(model: nn.Module, size: tuple[int, int], images: int) -> float:
    """Trillions of floating point operations in the convolutions of a step; see `needed_gflops`."""
    return PASSES * images * needed_gflops(model.eval(), torch.zeros(1, 3, *size)) / 1000


def measured(name: str, prepared: tuple[Callable[[], object], float],
             options: argparse.Namespace, peak: float) -> tuple[str, float, float, float, object]:
    """One line of the table: median milliseconds of a step, and what follows from it."""
    step, work = prepared
    if options.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    taken = seconds(step, options)
    memory = torch.cuda.max_memory_allocated() / GIB if options.device == "cuda" else "–"
    return name, 1000 * taken, options.batch / taken, 100 * work / taken / peak, memory


def seconds(function: Callable[[], object], options: argparse.Namespace) -> float:
    """Median seconds of a call, waiting for the device before the clock is read."""
    taken = []
    for number in range(options.warm_up + options.steps):
        begin = time.perf_counter()
        function()
        if options.device == "cuda":
            torch.cuda.synchronize()
        if number >= options.warm_up:
            taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def matrix_tflops(options: argparse.Namespace) -> float:
    """What a product of two square matrices reaches in this precision: the card's roofline."""
    side = 8192 if options.device == "cuda" else 1024
    left, right = torch.rand(2, side, side, device=options.device,
                             dtype=getattr(torch, options.precision))
    return 2 * side ** 3 / seconds(lambda: left @ right, options) / GIGA / 1000


if __name__ == "__main__":
    main()
