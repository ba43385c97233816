"""Seconds for one 512 x 512 image: ours as written, ours optimised, and the peers' networks.

The peers' heads are narrower than the table's (256 channels, 1x1 projection), so that they compare
by GFLOP/s and not by seconds.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from peers import peers
from timing import alternated, arguments, matrix_product, needed_gflops, print_table, roofline
from torch import nn

from deeplab.model.network import DeepLabV3, build_model
from deeplab.table.rows import load_rows
from deeplab.weights.fused import optimize_for_inference

ROWS = {"R50-D8": "voc_r50_d8", "R50-D16": "voc_r50_d16"}
ROOFLINE = "matrix product"


def ours(row_id: str) -> DeepLabV3:
    """The network of a row in eval mode, with random weights."""
    torch.manual_seed(0)
    return build_model(load_rows()[row_id]).eval()


def our_gflops(model: DeepLabV3, image: torch.Tensor) -> float:
    """What our network needs: the pooled branch need not be convolved with the others."""
    projection = model.aspp.project[0]
    share = projection.out_channels / projection.in_channels
    cells = model.backbone(image).conv5
    maps = cells.new_zeros(1, projection.in_channels, *cells.shape[-2:])
    return needed_gflops(model, image) - share * needed_gflops(projection, maps)


def main() -> None:
    """Measure all networks and print the table."""
    options, image = arguments(__doc__, repeats=5), torch.rand(1, 3, 512, 512)
    calls: dict[str, Callable] = {ROOFLINE: matrix_product()}
    gflops = {}
    with torch.inference_mode():
        for name, row_id in ROWS.items():
            model = ours(row_id)
            gflops |= dict.fromkeys([name, f"{name}, optimised"], our_gflops(model, image))
            calls |= {name: calling(model, image),
                      f"{name}, optimised": calling(optimize_for_inference(model), image)}
        for name, model in peers().items():
            gflops[name] = needed_gflops(model.eval(), image)
            calls[name] = calling(model, image)
        seconds = alternated(calls, repeats=options.repeats)
    limit = roofline(seconds[ROOFLINE])
    rows = [(name, gflops[name], seconds[name], gflops[name] / seconds[name],
             100 * gflops[name] / seconds[name] / limit,
             seconds[name.partition(",")[0]] / seconds[name] if name.startswith("R50") else "–")
            for name in gflops]
    print_table(f"Inference, 512 x 512, float32; {ROOFLINE}: {limit:.1f} GFLOP/s",
                ("network", "GFLOP needed", "s", "GFLOP/s", "% of roofline", "times the plain"),
                rows)


def calling(model: nn.Module, image: torch.Tensor) -> Callable[[], object]:
    """A call of the network."""
    return lambda: model(image)


if __name__ == "__main__":
    main()
