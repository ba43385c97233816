"""GPUs by name: how much memory they have and how fast they may be.

Peaks are the makers' figures, dense (without sparsity) and accumulated in float32. What of a
peak is reached was fitted once, to the inference speeds that mmsegmentation publishes for
eleven models on a V100; nothing here was measured by this project.
"""

import re
from dataclasses import dataclass

from deeplab.support.errors import UsageError

# The ten published float32 models reach 0.45 to 0.75 of 15.7 TFLOPS; this is their median. The
# lowest slides windows over small pictures.
VECTOR_EFFICIENCY = 0.66
# The one published float16 model reaches so much of 125 TFLOPS: a single figure, of 2020.
TENSOR_EFFICIENCY = 0.17

OLDEST_OF_CUDA_13 = (7, 5)  # Turing; CUDA 13 compiles for nothing older


@dataclass(frozen=True)
class Gpu:
    """One kind of GPU; peaks in TFLOPS, memory in GiB."""

    name: str
    memory: int
    vector: float  # float32
    tf32: float | None  # float32 convolutions on tensor cores; None: it has no such mode
    half: float  # float16 on tensor cores; without such, of the vector units
    capability: tuple[int, int]  # NVIDIA's compute capability, which a build of PyTorch must serve
    source: str

    @property
    def needs_cu126(self) -> bool:
        """Whether PyTorch's builds for CUDA 13 have no code for it, and that for 12.6 has."""
        return self.capability < OLDEST_OF_CUDA_13

    def tflops(self, *, half: bool, tf32: bool = True) -> float:
        """What convolutions reach, in mixed precision or float32; the faster units are used.

        Training lets TF32 stand for float32, evaluation does not.
        """
        tensor = self.half if half else self.tf32 or 0 if tf32 else 0
        return max(VECTOR_EFFICIENCY * self.vector, TENSOR_EFFICIENCY * tensor)


GPUS = {gpu.name: gpu for gpu in (
    Gpu("V100-16", 16, 15.7, None, 125, (7, 0), "NVIDIA Tesla V100 data sheet 2018, SXM2"),
    Gpu("V100-32", 32, 15.7, None, 125, (7, 0), "NVIDIA Tesla V100 data sheet 2018, SXM2"),
    Gpu("A100-40", 40, 19.5, 156, 312, (8, 0), "NVIDIA A100 data sheet 2020, SXM"),
    Gpu("A100-80", 80, 19.5, 156, 312, (8, 0), "NVIDIA A100 data sheet 2021, SXM"),
    Gpu("H100", 80, 67, 495, 989, (9, 0), "NVIDIA H100 data sheet 2023; half its sparse figures"),
    Gpu("RTX3090", 24, 35.6, 35.6, 71, (8, 6), "NVIDIA Ampere GA102 white paper 2020, appendix A"),
    Gpu("RTX4090", 24, 82.6, 82.6, 165, (8, 9), "NVIDIA Ada white paper 2022, appendix A"),
    Gpu("P100", 16, 10.6, None, 21.2, (6, 0), "NVIDIA Tesla P100 data sheet 2016, SXM2"),
    Gpu("GTX1080TI", 11, 11.3, None, 0, (6, 1), "NVIDIA GeForce GTX 1080 Ti, 2017"),
    Gpu("RTX2080TI", 11, 13.4, None, 53.8, (7, 5), "NVIDIA Turing white paper 2018, appendix A"),
    Gpu("T4", 16, 8.1, None, 65, (7, 5), "NVIDIA T4 data sheet 2018"),
    Gpu("L4", 24, 30.3, 60, 121, (8, 9), "NVIDIA L4 data sheet 2023; half its sparse figures"),
)}


def get_gpu(name: str) -> Gpu:
    """The GPU called `name`, in upper or lower case; raises `UsageError` (E-GPU)."""
    if name.upper() not in GPUS:
        raise UsageError.of("E-GPU", "no such GPU is known", found=repr(name),
                            expected=", ".join(GPUS), do="take the one that is most like yours")
    return GPUS[name.upper()]


def known_gpu(name: str | None, memory: float | None = None) -> Gpu | None:
    """The kind of GPU that CUDA calls `name`, such as "NVIDIA A100-SXM4-40GB"; None if unknown.

    Of kinds that differ in their memory only, the one nearest to `memory` GiB, or else that which
    the name tells.

    >>> known_gpu("NVIDIA A100-SXM4-80GB").name, known_gpu("NVIDIA GeForce RTX 3090").name
    ('A100-80', 'RTX3090')
    """
    words = re.sub(r"TX (\d+) ?(TI)?", r"TX\1\2", (name or "").upper())
    kinds = [gpu for gpu in GPUS.values()
             if re.search(rf"(?<!\w){gpu.name.partition('-')[0]}(?!\w)", words)]
    if memory is not None:
        return min(kinds, key=lambda gpu: abs(gpu.memory - memory), default=None)
    found = [gpu for gpu in kinds if re.search(rf"(?<!\d){gpu.memory}GB", words)] or kinds
    return found[0] if len(found) == 1 else None
