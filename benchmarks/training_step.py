"""One optimiser step of R50-D8 on two crops: ours, the recipe done plainly, and torchvision's.

Plainly: the same network, with logits upsampled before the cross-entropy, as upstream does.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from peers import peers
from timing import alternated, arguments, peak_memory, print_table
from torch import nn

from deeplab.model.network import build_model
from deeplab.table.rows import load_rows
from deeplab.training.loop import train_step
from deeplab.training.settings import TrainingSettings
from deeplab.training.recipe import make_optimizer

CROP, BATCH = 256, 2
ROWS = {"21 classes": "voc_r50_d8", "150 classes": "ade20k_r50_d8"}
SETTINGS = TrainingSettings(seed=0, batch_size=BATCH, total_steps=1, stop_step=1, base_lr=0.01,
                    weight_decay=5e-4, evaluate_every=1, checkpoint_every=1, log_every=1)


def batch(num_classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Image (N, 3, H, W) and label (N, H, W)."""
    torch.manual_seed(0)
    return (torch.randn(BATCH, 3, CROP, CROP),
            torch.randint(num_classes, (BATCH, CROP, CROP)))


def ours(row_id: str) -> Callable[[], object]:
    """Our step."""
    row = load_rows()[row_id]
    model, (image, label) = build_model(row).train(), batch(row.num_classes)
    optimizer = make_optimizer(model, base_lr=0.01, weight_decay=5e-4)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return lambda: train_step(model, optimizer, scaler, image, label, lr=0.01, settings=SETTINGS)


def plain(model: nn.Module, heads: Callable, num_classes: int) -> Callable[[], object]:
    """The step as it is usually written; `heads` gives both logits of the model's output."""
    image, label = batch(num_classes)
    optimizer = torch.optim.SGD(model.train().parameters(), lr=0.01, momentum=0.9,
                                weight_decay=5e-4)

    def step() -> None:
        optimizer.zero_grad()
        losses = [F.cross_entropy(F.interpolate(
            logits, label.shape[-2:], mode="bilinear", align_corners=False), label,
            ignore_index=255) for logits in heads(model(image))]
        (losses[0] + 0.4 * losses[1]).backward()
        optimizer.step()

    return step


def prepared(name: str) -> Callable[[], object]:
    """The step named `<way>|<row>` after its first call, which makes the optimiser's memory."""
    way, row_id = name.split("|")
    row = load_rows()[row_id]
    if way == "ours":
        step = ours(row_id)
    elif way == "plain":
        step = plain(build_model(row), lambda logits: (logits.main, logits.aux), row.num_classes)
    else:
        step = plain(peers(aux=True)[way], lambda out: (out["out"], out["aux"]), row.num_classes)
    return step


def main() -> None:
    """Measure and print the table."""
    options, rows = arguments(__doc__, repeats=3), []
    for title, row_id in ROWS.items():
        others = list(peers(aux=True)) if row_id == "voc_r50_d8" else []
        names = ["plain", "ours", *others]
        seconds = alternated({name: prepared(f"{name}|{row_id}") for name in names},
                             repeats=options.repeats)
        rows += [(title, name, seconds[name], peak_memory("training_step", f"{name}|{row_id}"),
                  seconds["plain"] / seconds[name]) for name in names]
    print_table(f"Training step, R50-D8, {BATCH} crops of {CROP} x {CROP}, float32",
                ("row", "step", "s", "peak MB", "times the plain"), rows)


if __name__ == "__main__":
    main()
