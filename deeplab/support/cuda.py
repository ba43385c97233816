"""Whether the installed PyTorch can use the GPUs of this machine, and why not if it cannot."""

import contextlib
import ctypes
import os
from collections.abc import Iterator, Sequence

import torch

# of PyTorch 2.14; 2.15 is planned without it (pytorch issue 190385)
OLDER_BUILD = "; the build for CUDA 12.6 serves it: make clean, then make TORCH=cu126 table"
# Whether TF32, with a mantissa of 10 bits, may stand for float32 in convolutions. A score is to be
# that of any machine; matrix products are float32 in both
TF32 = {"training": True, "evaluation": False}


def cuda_problem() -> str | None:
    """Why no training can run on the first GPU, or None if one can."""
    build = torch.version.cuda
    if build is None:
        return f"torch {torch.__version__} is built without CUDA"
    if torch.cuda.is_available():
        return capability_problem(0)
    driver = driver_version()
    if 0 < driver // 1000 < int(build.split(".")[0]):
        return (f"the driver serves CUDA {driver // 1000}.{driver % 1000 // 10}, and torch is "
                f"built for CUDA {build}; install a newer driver{OLDER_BUILD * (driver >= 12000)}")
    return f"no GPU is visible (torch built for CUDA {build})"


def visible_gpus() -> list[str]:
    """The GPUs of this process as $CUDA_VISIBLE_DEVICES names them: numbers or identifiers."""
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    count = torch.cuda.device_count()
    return named[:count] if any(named) else [str(index) for index in range(count)]


def driver_version() -> int:
    """The CUDA version that the driver serves, 1000 * major + 10 * minor; 0 without a driver.

    Source: `cuDriverGetVersion` of the CUDA driver API.
    """
    version = ctypes.c_int(0)
    try:
        ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    except OSError:
        return 0
    return version.value


def capability_problem(index: int) -> str | None:
    """Why the build has no code for GPU `index`, or None if it has."""
    capability, built = torch.cuda.get_device_capability(index), torch.cuda.get_arch_list()
    if serves(built, capability):
        return None
    older = all(capability < _built_for(name) for name in built)
    return (f"GPU {index} has capability {capability[0]}.{capability[1]}, and torch is built for "
            f"{' '.join(built)}{OLDER_BUILD * older}")


def serves(built: Sequence[str], capability: tuple[int, int]) -> bool:
    """Whether a build for the architectures `built` has code for a compute capability.

    Code for sm_XY runs on capability X.Z with Z at least Y; compute_XY is compiled when loaded
    for any capability from X.Y on (CUDA programming guide, "Application Compatibility").
    """
    return any(_built_for(name) <= capability
               and (name.startswith("compute") or _built_for(name)[0] == capability[0])
               for name in built)


def _built_for(name: str) -> tuple[int, int]:
    digits = name.partition("_")[2].rstrip("af")
    return int(digits[:-1]), int(digits[-1])


@contextlib.contextmanager
def cuda_mode(*, training: bool) -> Iterator[None]:
    """How cuDNN works inside: in a training it may use TF32, and tries which kernels are fastest.

    Trying pays for crops of one size; evaluation has pictures of many.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.benchmark, matmul.allow_tf32 = training, False
    cudnn.allow_tf32 = TF32["training" if training else "evaluation"]
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before
