"""A digest of its own content in a JSON file, so that a changed byte of it is seen when read."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEAL = "digest"  # the key; what has none was written by an earlier version, and counts as intact


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """The object with the digest of all else that it holds, in place of an earlier one."""
    return {**value, SEAL: _digest(value)}


def is_intact(value: Mapping[str, Any]) -> bool:
    """Whether the object holds what was sealed, or never was sealed."""
    return SEAL not in value or value[SEAL] == _digest(value)


def _digest(value: Mapping[str, Any]) -> str:
    """32 hexadecimal digits of the SHA-256 of a JSON object, whatever the order of its keys."""
    said = {key: part for key, part in value.items() if key != SEAL}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
