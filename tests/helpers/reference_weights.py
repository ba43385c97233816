"""Weights and inputs that are a function of key and shape alone, and the reference files."""

import functools
import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import torch

from deeplab.model.network import DeepLabV3, build_model
from deeplab.table.rows import get_row

REFERENCE = Path(__file__).parents[1] / "reference"


@functools.cache  # the peers share most keys; test_parity clears it
def fill(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The reference value of one entry of a peer's state dict (tests/reference/README.md)."""
    leaf = key.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    if leaf in ("running_mean", "bias"):
        values = 0.1 * rng.standard_normal(shape)
    elif leaf == "running_var":
        values = rng.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        values = rng.uniform(0.75, 1.25, shape)
    else:
        values = 0.95 / np.sqrt(np.prod(shape[1:])) * rng.standard_normal(shape)
    return values.astype(np.float32)


def filled(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """Reference weights for a whole state dict."""
    return {key: torch.from_numpy(np.asarray(fill(key, shape))) for key, shape in shapes.items()}


def reference_input(height: int, width: int) -> torch.Tensor:
    """The reference image batch of this size: float32 (1, 3, height, width)."""
    values = np.random.default_rng(0).standard_normal((1, 3, height, width))
    return torch.from_numpy(values.astype(np.float32))


def digest(arrays: dict[str, torch.Tensor]) -> str:
    """SHA-256 over sorted keys and their bytes."""
    sha = hashlib.sha256()
    for key in sorted(arrays):
        sha.update(key.encode() + arrays[key].numpy().tobytes())
    return sha.hexdigest()


def read_listing(path: str) -> dict[str, dict]:
    """A reference listing per peer model; entries stored as differences are expanded."""
    stored = json.loads((REFERENCE / path).read_text())
    return {name: entry["all"] if "all" in entry
            else {**stored[entry["base"]]["all"], **entry["except"]}
            for name, entry in stored.items()}


def inventory(peer: str, name: str) -> dict[str, tuple[int, ...]]:
    """{key: shape} of a peer's state dict."""
    listing = read_listing(f"state_dicts/{peer}.json")[name]
    return {key: tuple(shape) for key, shape in listing.items()}


@functools.cache
def shape_of(row_id: str, profile: str = "full") -> DeepLabV3:
    """The row's network without memory, to read shapes and settings from."""
    with torch.device("meta"):
        return build_model(get_row(row_id), profile)
