"""Run every benchmark and put the tables into README.md, between its two markers."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import cv2
import PIL
import torch

from deeplab.support.files import atomic_write

SCRIPTS = ("pipeline", "inference", "evaluation", "training_step")
README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", default="1")
    parser.add_argument("--only", choices=SCRIPTS, nargs="+", default=SCRIPTS)
    options = parser.parse_args()
    parts = [conditions(options.threads)]
    for script in options.only:
        run = subprocess.run([sys.executable, f"{script}.py", "--threads", options.threads],
                             cwd=README.parent, check=True, text=True, stdout=subprocess.PIPE)
        print(run.stdout, flush=True)
        parts.append(run.stdout.strip())
    if set(options.only) == set(SCRIPTS):
        before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
        tables = "\n\n".join([BEGIN, *parts, END])
        atomic_write(README, before + tables + rest.partition(END)[2])


def conditions(threads: str) -> str:
    """The machine and the versions that the tables hold for."""
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in
             (info.read_text(encoding="utf-8").splitlines() if info.exists() else [])
             if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    return (f"{datetime.now(UTC):%Y-%m-%d}, {processor}, "
            f"{torch.backends.cpu.get_cpu_capability()}, {threads} thread(s); "
            f"PyTorch {torch.__version__}, OpenCV {cv2.__version__}, Pillow {PIL.__version__}.")


if __name__ == "__main__":
    main()
