"""A pretended GPU that computes: tensors that say they lie on "cuda:0" and hold numbers.

Fake tensors (`fake_gpu`) hold none, and an evaluation counts. Whatever mixes them with tensors of
the CPU raises, as it would on a card. `Card()` is a context for the thread that moves tensors;
enter it in a forked process (`fake_gpu.in_fork`), for PyTorch believes ever after in a driver.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

GPU = "cuda:0"
MOVES = ("_to_copy", "copy_")


class OnCard(torch.Tensor):
    """A tensor of the CPU that says it lies on the card."""

    @staticmethod
    def __new__(cls, held: torch.Tensor):
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, device=GPU)

    def __init__(self, held: torch.Tensor):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return computed(function, args, kwargs or {})


class Card(TorchDispatchMode):
    """Context in which tensors move to the card and are made there."""

    def __enter__(self):
        torch.cuda._lazy_init = lambda: None  # asks for the driver
        torch._C._ensureCUDADeviceGuardSet()  # one that does nothing, as for fake tensors
        return super().__enter__()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return computed(function, args, kwargs or {})


def computed(function, args, kwargs):
    """The result of an operation, on the card if its operands are or if it is asked to be."""
    leaves, name = tree_leaves((args, kwargs)), function.overloadpacket.__name__
    given = [one for one in leaves if isinstance(one, torch.Tensor)]
    there = [isinstance(one, OnCard) for one in given]
    target = next((one for one in leaves if isinstance(one, torch.device)), None)
    plain = [one for one, is_there in zip(given, there) if not is_there and one.ndim]
    if any(there) and plain and name not in MOVES:
        raise RuntimeError(f"{name}: tensors on two devices")
    is_there = any(there) if target is None else target.type == "cuda"
    args, kwargs = tree_map(_on_cpu, (args, kwargs))
    with torch._C._DisableTorchDispatch():
        output = function(*args, **kwargs)
    return tree_map(lambda one: OnCard(one) if is_there and isinstance(one, torch.Tensor) else one,
                    output)


def _on_cpu(given):
    """What an argument is for the CPU, which computes."""
    if isinstance(given, torch.device):
        return torch.device("cpu")
    return given.held if isinstance(given, OnCard) else given


def on_card(model: torch.nn.Module) -> torch.nn.Module:
    """`model` with its weights on the card, which it is no longer trained with."""
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = torch.nn.Parameter(OnCard(weight.detach()),
                                                              requires_grad=False)
    return model
