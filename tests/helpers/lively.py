"""Networks with random weights whose predictions vary from pixel to pixel."""

import torch

from deeplab.model.network import build_model
from deeplab.table.rows import get_row


def lively_state(row_id, profile, seed=0):
    """Random weights of the row's network: no branch is silent, no normalisation trivial."""
    draw = torch.Generator().manual_seed(seed)
    state = build_model(get_row(row_id), profile).state_dict()
    for key, value in state.items():
        if key.endswith("running_var") or (value.ndim == 1 and key.endswith("weight")):
            value.copy_(0.75 + 0.5 * torch.rand(value.shape, generator=draw))
        elif value.is_floating_point():
            fan_in = value[0].numel() if value.ndim > 1 else 100
            value.copy_(torch.randn(value.shape, generator=draw) / fan_in ** 0.5)
    return state
