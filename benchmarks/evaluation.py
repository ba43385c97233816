"""From logits of 150 classes to a prediction: ours, and upsampling all of it first."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from timing import alternated, arguments, peak_memory, print_table

from deeplab.evaluation.upsample import upsampled_argmax

CASES = {"683 x 512": ((64, 86), (512, 683)), "2400 x 1800": ((64, 86), (1800, 2400))}


def plain(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The usual way: torchvision's, segmentation_models_pytorch's and upstream's."""
    return F.interpolate(logits, size, mode="bilinear", align_corners=False).argmax(1)


def ours(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Tile by tile."""
    return upsampled_argmax(logits, *size)


WAYS = {"upsample, then argmax": plain, "ours": ours}


def prepared(name: str) -> Callable[[], torch.Tensor]:
    """The call named `<way>|<case>` with its logits made, so that they do not count."""
    way, case = name.split("|")
    cells, size = CASES[case]
    logits = torch.randn(1, 150, *cells, generator=torch.Generator().manual_seed(0))
    WAYS[way](logits[:, :9, :4, :4], (8, 8))  # what the first call of all allocates
    return lambda: WAYS[way](logits, size)


def main() -> None:
    """Measure both ways, compare what they say, and print the table."""
    options, rows = arguments(__doc__, repeats=9), []
    with torch.inference_mode():
        for case in CASES:
            calls = {way: prepared(f"{way}|{case}") for way in WAYS}
            others = [(call() != calls["upsample, then argmax"]()).sum().item()
                      for call in calls.values()]
            seconds = alternated(calls, repeats=options.repeats)
            plain_seconds = seconds["upsample, then argmax"]
            rows += [(case, way, 1000 * seconds[way], peak_memory("evaluation", f"{way}|{case}"),
                      plain_seconds / seconds[way], other)
                     for way, other in zip(WAYS, others, strict=True)]
    print_table("Evaluation, 150 classes of 64 x 86 cells",
                ("label", "way", "ms", "extra MB", "times the plain", "pixels that differ"), rows)


if __name__ == "__main__":
    main()
