"""A pretended GPU: PyTorch's fake tensors on "cuda:0", on a machine that has none.

Fake tensors know shape, type, device and layout and hold no numbers. Whatever asks for a number
raises: a step that runs through never makes the host wait. The C++ engine of automatic
differentiation needs the CUDA driver, so that a small one in Python calls the same nodes.
"""

import contextlib
import os
import pickle
from collections import defaultdict

import torch
from torch._subclasses import FakeTensorMode
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import get_gradient_edge
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU = "cuda:0"  # with its number: without it PyTorch asks the driver for one
CHUNK, MOST_BLOCKS, MOST_TENSORS = 65536, 320, {1: 110, 3: 48}  # ATen: MultiTensorApply.cuh
FREE = ("view", "detach", "expand", "slice", "split", "permute", "unbind", "alias", "select",
        "_unsafe_view", "as_strided", "new_empty", "empty", "empty_like", "device",
        "_record_function_enter_new", "_record_function_exit", "unsqueeze", "transpose", "t")


class Operations(TorchDispatchMode):
    """Records every operation: (name, arguments, options, output)."""

    def __init__(self):
        super().__init__()
        self.done = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name, kwargs = function.overloadpacket.__name__, kwargs or {}
        # PyTorch has no fake of the fused optimiser, which changes weights and returns nothing
        output = None if name == "_fused_sgd_" else function(*args, **kwargs)
        self.done.append((name, args, kwargs, output))
        return output

    def named(self, *names):
        """The operations called so."""
        return [one for one in self.done if one[0] in names]

    @property
    def launches(self):
        """Kernels: of an operation at least one, of a list of tensors as many as ATen makes."""
        return sum(launches(*one) for one in self.done)

    @property
    def copies_between_devices(self):
        """(source, target, whether the host waits for it) of each copy."""
        found = []
        for name, args, kwargs, output in self.done:
            if name == "_to_copy":
                pair = args[0].device, output.device
                waits = not kwargs.get("non_blocking", False)
            elif name == "copy_":
                pair = args[1].device, args[0].device
                waits = not (args[2] if len(args) > 2 else kwargs.get("non_blocking", False))
            else:
                continue
            if pair[0] != pair[1]:
                found.append((*map(str, pair), waits))
        return found


def launches(name, args, kwargs, output):
    """Kernels that an operation launches."""
    if name == "_fused_sgd_":
        return list_launches(args[0], 3)
    if name == "_amp_foreach_non_finite_check_and_unscale_":
        return list_launches(args[0], 1)
    # these three also fill their result with zeros first
    filled = ("nll_loss2d_forward", "nll_loss2d_backward", "upsample_bilinear2d_backward")
    return 0 if name in FREE else 1 + (name in filled)


def list_launches(tensors, depth):
    """Kernels for a list of `depth` tensors each, as `multi_tensor_apply` divides them."""
    count = held = blocks = 0
    for tensor in tensors:
        held, chunks = held + 1, -(-tensor.numel() // CHUNK)
        for chunk in range(chunks):
            blocks += 1
            is_last = chunk == chunks - 1
            if blocks == MOST_BLOCKS or held == MOST_TENSORS[depth] and is_last:
                count, blocks, held = count + 1, 0, 0 if is_last else 1
    return count + bool(blocks)


def traffic(operations, least):
    """Bytes that operations read and write, each operand of `least` bytes or more once.

    The choice of each pixel's class (`nll_loss2d`) reads one number a pixel, and not all.
    """
    total = 0
    for name, args, kwargs, output in operations:
        if name not in FREE:
            read = () if name.startswith("nll_loss2d") else (args, kwargs)
            total += sum(tensor.nbytes for tensor in tree_leaves((read, output))
                         if isinstance(tensor, torch.Tensor) and tensor.nbytes >= least)
    return total


def run_backward(tensors, gradients, keep, create, inputs, allow_unreachable=False,
                 accumulate_grad=True):
    """What the engine does, on one thread: each node once all who use it have been."""
    roots = [get_gradient_edge(tensor) for tensor in tensors]
    users, waiting = defaultdict(int), [root.node for root in roots]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            after = [other for other, _ in node.next_functions if other is not None]
            waiting += after
            for other in after:
                users[other] += 1
    held, found = defaultdict(dict), {}
    for root, gradient in zip(roots, gradients):
        held[root.node][root.output_nr] = gradient
    wanted, ready = [get_gradient_edge(one) for one in inputs or ()], list(held)
    with torch.no_grad():
        while ready:
            node = ready.pop()
            given = held.pop(node, {})
            for number, edge in enumerate(wanted):
                if edge.node is node:
                    found[number] = given.get(edge.output_nr)
            if type(node).__name__ == "AccumulateGrad" and not accumulate_grad:
                continue
            values = [given.get(number) for number in range(max(given, default=0) + 1)]
            call = node.apply if isinstance(node, BackwardCFunction) else node
            outputs = call(*values)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            for (other, number), value in zip(node.next_functions, outputs):
                if other is None:
                    continue
                if value is not None:
                    before = held[other].get(number)
                    held[other][number] = value if before is None else before + value
                users[other] -= 1
                if users[other] == 0:
                    ready.append(other)
    return tuple(found[number] for number in range(len(wanted)))


def clear_kept():
    """Forget tensors that are kept per device, lest fake ones stay."""
    from deeplab.data import augment
    from deeplab.evaluation import upsample
    augment._statistics.cache_clear()
    upsample._kept_weights.cache_clear()


@contextlib.contextmanager
def pretended_gpu(monkeypatch):
    """Context in which tensors are fake; yields their `FakeTensorMode`."""
    monkeypatch.setattr(torch.autograd, "_engine_run_backward", run_backward)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    clear_kept()
    try:
        with FakeTensorMode() as mode:
            yield mode
    finally:
        clear_kept()


def on_gpu(model):
    """A model of the meta device with fake weights on the GPU, channels last."""
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = torch.nn.Parameter(_fake(weight))
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = _fake(buffer)
    return model


def _fake(tensor):
    layout = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
    return torch.empty(tensor.shape, dtype=tensor.dtype, device=GPU, memory_format=layout)


def in_fork(function, *arguments):
    """What `function` returns in a forked process; RuntimeError with the words of its error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = True, function(*arguments)
        except BaseException as error:
            answer = False, f"{type(error).__name__}: {error}"
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        is_done, answer = pickle.load(pipe)
    os.waitpid(child, 0)
    if not is_done:
        raise RuntimeError(answer)
    return answer
