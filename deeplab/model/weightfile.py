"""The earlier name of `deeplab.weights.files`, for scripts that were written for it."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """What `deeplab.weights.files` calls `name`; looked up when asked for, for that room is above.

    Raises `AttributeError` for a name that is not there.
    """
    return getattr(import_module("deeplab.weights.files"), name)
