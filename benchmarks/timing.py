"""What the benchmarks share: alternating clocks, the machine's roofline, memory, and tables."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent
MATRIX = 4096  # side of the largest matrix product: far beyond every cache
GIGA = 1e9


def arguments(description: str, *, repeats: int) -> argparse.Namespace:
    """Parse `--threads` and `--repeats`, and set the number of threads."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=repeats)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def alternated(functions: Mapping[str, Callable[[], object]], *, repeats: int) -> dict[str, float]:
    """Median seconds of each function; they take turns, so that all see the same weather.

    With one thread these are seconds of computing, which other programs on the machine hardly
    lengthen; with more they are seconds of the clock on the wall.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    taken = {name: [] for name in functions}
    for function in functions.values():
        function()  # loads, caches and allocates
    for _ in range(repeats):
        for name, function in functions.items():
            start = clock()
            function()
            taken[name].append(clock() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def matrix_product() -> Callable[[], Tensor]:
    """The work that sets the roofline: a product of two square float32 matrices."""
    left, right = torch.rand(2, MATRIX, MATRIX)
    return lambda: left @ right


def roofline(seconds: float) -> float:
    """GFLOP/s of a matrix product that took `seconds`."""
    return 2 * MATRIX ** 3 / seconds / GIGA


def needed_gflops(model: nn.Module, image: Tensor) -> float:
    """Billions of floating point operations in the convolutions of one forward pass.

    A product with padding does not count: a kernel could leave it out.
    """
    total = 0.0

    def count(conv: nn.Conv2d, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal total
        taps = 1.0
        for axis in (0, 1):
            place = torch.arange(output.shape[2 + axis])[:, None] * conv.stride[axis]
            tap = torch.arange(conv.kernel_size[axis]) * conv.dilation[axis] - conv.padding[axis]
            inside = (place + tap >= 0) & (place + tap < inputs[0].shape[2 + axis])
            taps *= inside.sum().item()
        total += 2 * len(output) * taps * conv.out_channels * conv.in_channels / conv.groups

    hooks = [module.register_forward_hook(count) for module in model.modules()
             if isinstance(module, nn.Conv2d)]
    with torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    return total / GIGA


def peak_memory(script: str, name: str) -> float:
    """MB that function `name` of a script here needs beyond what was there when it began.

    It runs in a process of its own, whose peak the system records.
    """
    code = (f"import {script}, timing, torch; torch.set_num_threads(1); "
            f"timing.print_peak({script}.prepared({name!r}))")
    run = subprocess.run([sys.executable, "-c", code], cwd=FOLDER, check=True, text=True,
                         capture_output=True)
    return float(run.stdout)


def print_peak(function: Callable[[], object]) -> None:
    """Call a function and print how far it lifted the peak of this process, in MB."""
    before = peak()
    function()
    print(peak() - before)


def peak() -> float:
    """The most memory that this process has held so far, in MB (Linux only)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table; numbers get two decimals, large ones none."""
    def cell(value: object) -> str:
        return str(value) if not isinstance(value, float) else (
            f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}")

    print(f"\n**{title}**\n")
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(map(cell, row)) + " |")
