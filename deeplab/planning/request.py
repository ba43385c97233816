"""What to ask a cluster for: the hours, memory and cores that a plan gives, with a margin."""

from collections.abc import Sequence
from dataclasses import replace

from deeplab.planning.loaders import loaders_needed
from deeplab.planning.plan import plan
from deeplab.runs.config import RunConfig
from deeplab.runs.sbatch import JobRequest
from deeplab.support.errors import UsageError
from deeplab.support.machine import MOST_LOADERS

MARGIN = 1.5  # of the planned hours: reading data, other GPUs' speed, a slow disk
LONGEST_HOURS = 24  # a task asks for no more at a time: it queues itself again and goes on
GPU_ASSUMED = "A100-40"  # where no kind is named
DEMO = JobRequest(hours=1, cores=2, memory_gb=6, gpus=0, gpu_type=None,
                  reason="demo rows take minutes on two cores and need no GPU")
LEAST_LOADERS = 4  # for each GPU, where --workers does not say how many
CORE_GB, OWN_GB = 3, 8  # memory for each loader process, and for the run itself


def job_request(configs: Sequence[RunConfig], *, gpu: str | None = None,
                gpu_type: str | None = None, nodes: int = 1,
                longest: float = LONGEST_HOURS) -> JobRequest:
    """The request for a task that runs any of `configs`, each on `nodes` machines.

    `gpu` is a name of `planning.gpus`, `gpu_type` what the site's SLURM calls it. Raises
    `UsageError` (E-GPU, E-GPUS, E-NODES).
    """
    config = configs[0]
    if config.world % nodes:
        raise UsageError.of("E-NODES", "the ranks of a row do not divide among the machines",
                            found=f"{config.world} ranks", expected=f"a multiple of {nodes}",
                            do="give --gpus as the number on all machines together")
    if config.profile.name == "demo":
        return replace(DEMO, nodes=nodes)
    gpus = config.gpus or 1
    rows = list(dict.fromkeys(one.row.row_id for one in configs))
    lines = plan(rows, gpu=gpu or GPU_ASSUMED, gpus=gpus, profile=config.profile.name)
    slowest = max(lines, key=lambda line: line.hours)
    needed = max(LEAST_LOADERS, *(loaders_needed(line, packed=False) for line in lines))
    loaders = min(MOST_LOADERS, needed) if config.workers is None else config.workers
    here = gpus // nodes
    cores = here * (loaders + 1)
    hours = max(1, min(longest, MARGIN * slowest.hours))
    return JobRequest(
        hours=hours, cores=cores, memory_gb=OWN_GB + CORE_GB * cores, gpus=here,
        gpu_type=gpu_type, nodes=nodes,
        reason=f"plan: {slowest.row_id} takes {slowest.hours:.1f} h on {gpus} {slowest.gpu.name}; "
               f"asked for: {hours:.1f} h ({MARGIN} times as long, at most {longest} h at a time)")
