"""A pytest plugin and a module for children: one GPU is said to be there, and must not be touched.

`python -m pytest -p one_gpu ...`, or `import one_gpu` in a process. What asks whether there is
CUDA is told yes; whatever would start it raises.
"""

import torch


def refusal(name):
    """A function in the place of `torch.cuda.<name>` that nothing on the CPU may call."""
    def touched(*given, **options):
        raise AssertionError(f"CUDA was touched: {name}")
    return touched


torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 1
for name in ("_lazy_init",  # called by whatever needs the device
             "set_device", "current_device", "get_device_capability", "get_device_properties",
             "get_device_name", "get_rng_state", "set_rng_state", "max_memory_allocated",
             "synchronize", "current_stream"):
    setattr(torch.cuda, name, refusal(name))
