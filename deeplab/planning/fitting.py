"""What would fit when a training step did not: options of a run, judged by the plan."""

from collections.abc import Iterator
from typing import Any

import torch

from deeplab.planning.memory import GIB
from deeplab.planning.plan import USABLE, step_memory
from deeplab.profiles import PROFILES
from deeplab.runs.config import RunConfig
from deeplab.runs.device import device_of
from deeplab.runs.parameters import PARAMETERS, option_name
from deeplab.support.errors import ResourceError

MOST_GPUS = 16  # that are proposed for a row


def with_options(error: ResourceError, config: RunConfig) -> ResourceError:
    """`error`, and for a lack of GPU memory (E-OOM) also which options of the run would fit."""
    if error.code != "E-OOM" or device_of(config) != "cuda":
        return error
    memory = torch.cuda.get_device_properties(0).total_memory
    return ResourceError(f"{error}\n{advice(config, memory)}")


def advice(config: RunConfig, memory: int) -> str:
    """Two lines: what the plan says of a step and of a GPU of `memory` bytes, and what fits."""
    needed = step_memory(config).total
    planned = f"  plan: a step takes {needed / GIB:.1f} GiB of the {memory / GIB:.1f} GiB there are"
    if needed <= USABLE * memory:
        return f"{planned}\n  so another process may hold memory of this GPU: see nvidia-smi"
    found = ", ".join(f"{words} ({taken / GIB:.1f} GiB)"
                      for words, taken in fitting(config, memory))
    return f"{planned}\n  would fit: {found or 'none of the options; take a larger GPU'}"


def fitting(config: RunConfig, memory: int) -> Iterator[tuple[str, int]]:
    """Of each kind of change the first that fits GPUs of `memory` bytes: its words, its bytes."""
    for kind in _kinds(config):
        for changes in kind:
            taken = step_memory(RunConfig.of(**config.parameters | changes)).total
            if taken <= USABLE * memory:
                yield " ".join(option_name(name) + ("" if value is True else f" {value}")
                               for name, value in changes.items()), taken
                break


def _kinds(config: RunConfig) -> list[list[dict[str, Any]]]:
    """Changes of a run that take less memory; each kind begins with what changes least."""
    gpus = [{"gpus": count} for count in range(config.world + 1, MOST_GPUS + 1)
            if config.batch_size % count == 0]
    names = list(PROFILES)
    profiles = [{"profile": name} for name in reversed(names[1:names.index(config.profile.name)])]
    halves = [{"precision": "float16"}] if "precision" in PARAMETERS else []
    again = [{"checkpoint_activations": True}] if "checkpoint_activations" in PARAMETERS else []
    return [gpus, again, halves, profiles]
