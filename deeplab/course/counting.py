"""A counter for cells that compute for a while without saying anything."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 0.2  # between two changes of a line, which cost a message each


def counted(items: Iterable[T], what: str, *, stays: bool = True) -> Iterator[T]:
    """Yield `items`, and show how many of them are done: "3 of 16 rows planned".

    In a notebook one line counts up, and is empty at the end unless it `stays`; elsewhere nothing
    is shown.
    """
    from IPython import get_ipython
    from IPython.display import Markdown, display
    items = list(items)
    line = (display(Markdown(f"0 of {len(items)} {what}"), display_id=True)
            if get_ipython() else None)
    told = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        is_last = number == len(items)
        if line and (is_last or time.monotonic() - told > PAUSE_SECONDS):
            told = time.monotonic()
            is_over = is_last and not stays
            line.update(Markdown("" if is_over else f"{number} of {len(items)} {what}"))
