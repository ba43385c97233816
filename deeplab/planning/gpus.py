"""GPUs by name: how much memory they have and how fast they may be.

Peaks are the makers' figures, dense (without sparsity) and accumulated in float32. What of a
peak is reached was fitted once, to the inference speeds that mmsegmentation publishes for
eleven models on a V100; nothing here was measured by this project.
"""

from dataclasses import dataclass

from deeplab.support.errors import UsageError

# The ten published float32 models reach 0.45 to 0.75 of 15.7 TFLOPS; this is their median. The
# lowest slides windows over small pictures.
VECTOR_EFFICIENCY = 0.66
# The one published float16 model reaches so much of 125 TFLOPS: a single figure, of 2020.
TENSOR_EFFICIENCY = 0.17


@dataclass(frozen=True)
class Gpu:
    """One kind of GPU; peaks in TFLOPS, memory in GiB."""

    name: str
    memory: int
    vector: float  # float32
    tf32: float | None  # float32 convolutions on tensor cores; None: it has no such mode
    half: float  # float16 on tensor cores
    source: str

    def tflops(self, *, half: bool) -> float:
        """What convolutions reach, in mixed precision or float32; the faster units are used."""
        tensor = self.half if half else self.tf32 or 0
        return max(VECTOR_EFFICIENCY * self.vector, TENSOR_EFFICIENCY * tensor)


GPUS = {gpu.name: gpu for gpu in (
    Gpu("V100-16", 16, 15.7, None, 125, "NVIDIA Tesla V100 data sheet 2018, SXM2"),
    Gpu("V100-32", 32, 15.7, None, 125, "NVIDIA Tesla V100 data sheet 2018, SXM2"),
    Gpu("A100-40", 40, 19.5, 156, 312, "NVIDIA A100 data sheet 2020, SXM"),
    Gpu("A100-80", 80, 19.5, 156, 312, "NVIDIA A100 data sheet 2021, SXM"),
    Gpu("H100", 80, 67, 495, 989, "NVIDIA H100 data sheet 2023, SXM; half of its sparse figures"),
    Gpu("RTX3090", 24, 35.6, 35.6, 71, "NVIDIA Ampere GA102 white paper 2020, appendix A"),
    Gpu("RTX4090", 24, 82.6, 82.6, 165, "NVIDIA Ada white paper 2022, appendix A"),
    Gpu("T4", 16, 8.1, None, 65, "NVIDIA T4 data sheet 2018"),
    Gpu("L4", 24, 30.3, 60, 121, "NVIDIA L4 data sheet 2023; half of its sparse figures"),
)}


def get_gpu(name: str) -> Gpu:
    """The GPU called `name`, in upper or lower case; raises `UsageError` (E-GPU)."""
    if name.upper() not in GPUS:
        raise UsageError.of("E-GPU", "no such GPU is known", found=repr(name),
                            expected=", ".join(GPUS), do="take the one that is most like yours")
    return GPUS[name.upper()]
