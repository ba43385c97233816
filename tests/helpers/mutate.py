"""Mutated files: flipped, lost, doubled and foreign bytes, the same ones for the same seed."""

import os
import random
import resource
from collections.abc import Iterator

COUNT = int(os.environ.get("DEEPLAB_FUZZ", 200))  # mutations of each seed; `make fuzz` takes more
ALONE = 10_000  # a count that `make test`, whose processes train as well, does not take
MOST_BYTES = 10 ** 9  # with Python, torch and pytest


def mutations(seed: bytes, name: str, count: int = COUNT) -> Iterator[bytes]:
    """`count` files made of `seed`, a file; half of them are changed near its beginning."""
    rng = random.Random(name)
    for _ in range(count):
        content = bytearray(seed)
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            _change(content, rng)
        yield bytes(content)
    check_peak()


def check_peak() -> None:
    """Fail if a process that does nothing but read mutated files ever held a gigabyte."""
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert COUNT < ALONE or peak < MOST_BYTES, f"{peak:,} bytes"


def _change(content: bytearray, rng: random.Random) -> None:
    at = rng.randrange(min(len(content), rng.choice((len(content), 120))) or 1)
    kind = rng.randrange(5)
    if kind == 0 and at < len(content):
        content[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        content[at:at + 1] = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80", b"-", b"9"))
    elif kind == 2:
        del content[at:at + rng.randrange(1, 40)]
    elif kind == 3:
        content[at:at] = rng.randbytes(rng.randrange(1, 40))
    else:
        other = rng.randrange(len(content) or 1)
        content[at:at] = content[other:other + rng.randrange(40)]
