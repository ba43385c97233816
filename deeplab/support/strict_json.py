"""JSON as its standard has it, of a size and depth that somebody could have meant.

Python's own reader takes NaN, takes the last of two equal keys, makes infinity of 1e999 and
lets a text hold half a character; each of these has a second meaning elsewhere.
"""

import json
import math
from typing import Any

LARGEST = 2**26  # bytes of a JSON file; the manifest of a large dataset has some 2**23
DEEPEST = 32  # lists and objects within each other
SHOWN = 40  # characters of a key or number in a message


def parse(content: bytes, *, largest: int = LARGEST) -> Any:
    """The value that JSON stands for.

    Raises `ValueError` with a sentence for what is no JSON, for more than `largest` bytes or
    `DEEPEST` levels, a key given twice, a number without a value, and a text that is not Unicode.
    """
    if len(content) > largest:
        raise ValueError(f"more than {largest:,} bytes")
    try:
        value = json.loads(content, object_pairs_hook=_once, parse_float=_finite,
                           parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError(f"more than {DEEPEST} levels") from error
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [below for one in level for below in _below(one)]
    if level:
        raise ValueError(f"more than {DEEPEST} levels")
    return value


def _below(value: Any) -> list[Any]:
    """The members of a list or object; raises `ValueError` for a text that is not Unicode."""
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError, a ValueError, for half of a surrogate pair
    elif isinstance(value, list):
        return value
    elif isinstance(value, dict):
        return [*value, *value.values()]
    return []


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:SHOWN]!r} twice")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:SHOWN]} is too large")
    return value


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
