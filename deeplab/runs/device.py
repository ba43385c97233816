"""Where a run computes: on the CPU, on CUDA, or on the GPU of an Apple machine.

`device_of` chooses, and refuses what was asked for and is not there; `check_training` adds what
only a training needs. Neither asks anything of CUDA for a run on the CPU.
"""

import torch

from deeplab.runs.config import RunConfig
from deeplab.support.cuda import cuda_problem
from deeplab.support.errors import UsageError


def device_of(config: RunConfig) -> str:
    """The device of a run: "cpu", "cuda" or "mps".

    As asked for with `device`. Otherwise `demo` computes on the CPU, so that its numbers are the
    same everywhere, and so do `processes`; all else on CUDA where it can be used. Raises
    `UsageError` (E-CUDA, E-MPS) for a device that was asked for and cannot be used.
    """
    if config.device == "mps" and not torch.backends.mps.is_available():
        raise UsageError.of(
            "E-MPS", "PyTorch cannot use the GPU of an Apple machine here", found=mps_problem(),
            expected="macOS on Apple silicon", do="leave out --device mps")
    problem = cuda_problem() if config.device == "cuda" else None
    if problem:
        raise UsageError.of("E-CUDA", "the device cuda cannot be used here", found=problem,
                            expected="a GPU that this PyTorch can use",
                            do="leave out --device cuda; deeplab doctor tells what is there")
    if config.device:
        return config.device
    if config.processes or (config.profile.name == "demo" and not config.gpus):
        return "cpu"
    return "cpu" if cuda_problem() else "cuda"


def mps_problem() -> str:
    """Why MPS cannot be used, in words."""
    if not torch.backends.mps.is_built():
        return f"torch {torch.__version__} is built without MPS"
    return "no GPU that Metal can use, or macOS older than 12.3"


def check_training(config: RunConfig, device: str) -> None:
    """Raise `UsageError` unless the training of `config` may go on `device`.

    E-PRECISION as `check_precision`. E-CUDA for GPUs asked for, or the full profile, where CUDA
    cannot be used; the CPU is for those who ask for it. E-MPS for the full profile on an Apple
    machine.
    """
    check_precision(config, device)
    profile = config.profile.name
    if device == "mps" and profile not in ("demo", "small"):
        raise UsageError.of(
            "E-MPS", f"the profile {profile} is not trained on the GPU of an Apple machine",
            found="--device mps", expected="a CUDA GPU",
            do="train demo or small; mps serves deeplab evaluate and deeplab predict as well")
    is_cpu_asked = config.processes or config.device == "cpu"
    if device == "cpu" and not is_cpu_asked and (config.gpus or profile not in ("demo", "small")):
        raise UsageError.of(
            "E-CUDA", f"the {profile} profile needs a GPU that this PyTorch can use",
            found=cuda_problem(),
            do="choose --profile small, or ask for the CPU with --device cpu; what this machine "
               "has is told by: deeplab doctor")


def check_precision(config: RunConfig, device: str) -> None:
    """Raise `UsageError` (E-PRECISION) for maps in a type that the GPU cannot compute with."""
    if config.precision == "bfloat16" and device == "cuda" and not (
            torch.cuda.is_bf16_supported(including_emulation=False)):
        raise UsageError.of(
            "E-PRECISION", "this GPU does not compute in bfloat16",
            found="{} (capability {}.{})".format(torch.cuda.get_device_name(),
                                                 *torch.cuda.get_device_capability()),
            expected="capability 8.0 (Ampere) or later", do="choose --precision float16")
    if config.precision not in (None, "float32") and device == "mps":
        raise UsageError.of("E-PRECISION", "only float32 is trained on the GPU of an Apple machine",
                            found=config.precision, expected="float32",
                            do="leave out --precision")


def check_shared(config: RunConfig) -> None:
    """Raise `UsageError` (E-GPUS) for a batch that the ranks of a run cannot share evenly."""
    batch = config.batch_size
    if batch % config.world:
        divisors = [str(number) for number in range(1, batch + 1) if batch % number == 0]
        kind = "processes" if config.processes else "GPUs"
        raise UsageError.of("E-GPUS", f"the batch of {config.row.row_id} cannot be shared evenly",
                            found=f"{batch} images, {config.world} {kind}",
                            expected=f"a number of {kind} that divides the batch",
                            do=f"take {' or '.join(divisors)}")


def check_gpus(config: RunConfig) -> None:
    """Raise `UsageError` (E-GPUS) if this machine has fewer GPUs than the run asks for."""
    count = torch.cuda.device_count() if config.gpus else 0
    if config.gpus and count < config.gpus:
        raise UsageError.of(
            "E-GPUS", "there are not as many GPUs as asked for",
            found=count or f"0: {cuda_problem()}", expected=config.gpus,
            do="ask for fewer with --gpus, run on CPUs with --processes, or start the ranks "
               "on several machines with torchrun (results/README.md)")
