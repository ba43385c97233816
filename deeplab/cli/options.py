"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

PROFILE = click.option("--profile", default="demo", show_default=True, metavar="NAME",
                       help="demo: miniature data; small: real data, slim network; full: recipe")
RESULTS = click.option("--results", type=click.Path(path_type=Path), metavar="DIR",
                       help="where runs are written  [default: results/ or $DEEPLAB_RESULTS]")
DATA_ROOT = click.option("--data-root", type=click.Path(path_type=Path), metavar="DIR",
                         help="folder that holds the dataset  [default: data/ or $DEEPLAB_DATA]")
WEIGHTS_PROFILE = click.option("--profile", metavar="NAME",
                               help="size of the network  [default: what the file says, or full]")
AGAIN = click.option("--again", is_flag=True,
                     help="set aside what no longer fits code or data, and make it anew")
GPUS = click.option("--gpus", type=click.IntRange(1), metavar="N",
                    help="GPUs that share the batch of a row  [default: one, if there is one]")
PROCESSES = click.option("--processes", type=click.IntRange(1), metavar="N",
                         help="the same with processes on the CPU, for tests and lessons")
WORKERS = click.option("--workers", type=click.IntRange(0), metavar="N",
                       help="data loaders of each  [default: none on a CPU, 4 beside a GPU]")
BACKBONE_WEIGHTS = click.option("--backbone-weights", metavar="NAME|FILE",
                                help="none, miniature, torchvision, v1c or a file  "
                                     "[default: demo and small miniature, full v1c]")
