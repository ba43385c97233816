"""What a weight file must be before any of its numbers is touched.

A file of a thousand bytes may describe a tensor of a terabyte, by a stride of zero, by
compression or by naming one storage many times; reading it must cost no more than its size.
"""

import stat
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from deeplab.support.errors import CheckpointError
from deeplab.support.torch_program import MOST_TENSORS, SLACK, refused

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COUNTER = "num_batches_tracked"  # BatchNorm's, the only integers among the weights of a network
MOST_DIMENSIONS = 4


def check_regular(path: Path | str) -> None:
    """Raise `CheckpointError` (E-CKPT) unless `path` is a regular file, or a link to one."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:
        raise CheckpointError.of("E-CKPT", "cannot open the weight file", file=path,
                                 found=getattr(error, "strerror", error),
                                 expected="a weight file", do="check the path") from error
    if not stat.S_ISREG(mode):
        raise CheckpointError.of("E-CKPT", "this is not a file", file=path,
                                 found=stat.filemode(mode), expected="a regular file",
                                 do="check the path")


def check_tensors(tensors: Mapping[str, Tensor], path: Path | str) -> None:
    """Raise `CheckpointError` (E-WEIGHTS) that names the first tensors no network can have."""
    if len(tensors) > MOST_TENSORS:
        raise refused(path, f"{len(tensors):,} tensors", f"at most {MOST_TENSORS:,}")
    wrong = {key: why for key, value in tensors.items() if (why := _misshapen(value))}
    size = sum(value.numel() * value.element_size() for key, value in tensors.items()
               if key not in wrong)
    if not wrong and size > 4 * Path(path).stat().st_size + SLACK:
        raise refused(path, f"tensors of {size:,} bytes in {Path(path).stat().st_size:,}",
                      "no more bytes than the file has")
    wrong = wrong or {key: why for key, value in tensors.items()
                      if (why := _wrong_numbers(key, value))}
    if wrong:
        listed = [f"{key[:100]}: {why}" for key, why in list(wrong.items())[:10]]
        raise CheckpointError.of(
            "E-WEIGHTS", f"{len(wrong)} tensors cannot be weights", file=path,
            found="; ".join(listed), expected="dense tensors of finite numbers on the CPU",
            do="download the file again, or choose another")


def _misshapen(value: Tensor) -> str | None:
    """What is wrong with the form of a tensor, without a look at its numbers."""
    if value.device.type != "cpu":
        return f"on the device {value.device.type}, without numbers"
    if value.layout != torch.strided:
        return f"sparse ({value.layout})"
    if value.is_quantized or not (value.dtype in FLOATS or value.dtype == torch.int64):
        return f"of type {value.dtype}"
    if value.ndim > MOST_DIMENSIONS:
        return f"of {value.ndim} dimensions"
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        return f"of shape {tuple(value.shape)} over {value.untyped_storage().nbytes()} bytes"
    return None


def _wrong_numbers(key: str, value: Tensor) -> str | None:
    """What is wrong with the numbers of a tensor."""
    if value.dtype not in FLOATS:
        return None if key.endswith(COUNTER) else f"of type {value.dtype} where numbers are learnt"
    value = value.float()  # in which networks are built here; what overflows is infinite
    if not value.isfinite().all():
        return "NaN or infinity"
    if key.endswith("running_var") and (value < 0).any():
        return "a negative variance"
    return None
