"""One rank of a training on several processes; `deeplab.runs.launch` starts it.

By hand, on each node, torchrun itself or our own, which saves and is silent after a signal::

    python -m deeplab.runs.launch ... -m deeplab.runs.rank '{"row_id": "voc_r50_d8", "gpus": 8}'
"""

import json
import os
import sys
from typing import NoReturn

from deeplab.runs.config import RunConfig
from deeplab.runs.device import device_of
from deeplab.runs.experiment import Experiment
from deeplab.runs.launch import process_group
from deeplab.support.errors import DeeplabError, Stopped, UsageError
from deeplab.support.signals import die_with, die_with_parent


def main(parameters: str) -> None:
    """Train the run of these `parameters` (JSON, those of `row.ipynb`) with the other ranks."""
    die_with_parent()
    die_with(os.getppid())  # torchrun that somebody started: a dead one leaves no rank behind
    config = RunConfig.of(**json.loads(parameters))
    with process_group(config.folder, device=device_of(config)) as ranks:
        if ranks.world != config.world:
            raise UsageError.of("E-WORLD", "torchrun started another number of processes",
                                found=ranks.world, expected=config.world,
                                do="give gpus (or processes) and --nproc-per-node times --nnodes "
                                   "the same value")
        Experiment(config, ranks).train()


def end_rank(code: int) -> NoReturn:
    """End this rank with `code`, and leave nothing to be taken apart.

    Where others have left already, gloo's threads may abort a process that takes its group apart.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except DeeplabError as error:
        if not isinstance(error, Stopped) or os.environ["RANK"] == "0":  # said once for all
            print(error, file=sys.stderr, flush=True)
        end_rank(error.exit_code)
