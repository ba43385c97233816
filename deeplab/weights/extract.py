"""Tensors taken out of a training checkpoint that holds other objects as well.

Training programs (mmengine, Lightning) save histories and configurations beside the weights,
and a file that names their classes asks to run code. Here an empty class stands in for each of
them, so that nothing of the file or of its author's program runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from deeplab.model.weights import unwrap
from deeplab.support.errors import CheckpointError
from deeplab.support.files import atomic_write
from deeplab.support.torch_file import check_torch_file
from deeplab.weights.files import unreadable_torch
from deeplab.weights.safety import check_regular, check_tensors


class StandIn:
    """An object of a checkpoint that is not a tensor: whatever it is given is forgotten."""

    def __new__(cls, *given: Any, **named: Any) -> StandIn:
        return super().__new__(cls)

    def __init__(self, *given: Any, **named: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def extract_tensors(source: Path, target: Path) -> tuple[int, list[str]]:
    """Write the weights in the torch file `source` to the safetensors file `target`.

    Returns how many tensors were written and the names of the objects that were left behind.
    Raises `CheckpointError`: E-PICKLE for a file that names what no checkpoint needs (modules
    of the system), E-CKPT, E-WEIGHTS as `WeightFile.read`; then nothing is written.
    """
    check_regular(source)
    try:
        check_torch_file(source)
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(source))
        stand_ins = [(type("StandIn", (StandIn,), {}), name) for name in names]
        with torch.serialization.safe_globals(stand_ins):
            content = torch.load(source, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # a damaged file makes the readers raise almost anything
        raise unreadable_torch(source, error) from error
    tensors = unwrap(content, file=source)
    check_tensors(tensors, source)
    content = safetensors.torch.save({key: value.detach().clone().contiguous()
                                      for key, value in tensors.items()})
    atomic_write(target, content)
    return len(tensors), names
