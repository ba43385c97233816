"""A counter for cells that compute for a while without saying anything."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def counted(items: Iterable[T], what: str) -> Iterator[T]:
    """Yield `items`, and show how many of them are done: "3 of 16 rows planned".

    In a notebook one line counts up; elsewhere nothing is shown.
    """
    from IPython import get_ipython
    from IPython.display import Markdown, display
    items = list(items)
    line = (display(Markdown(f"0 of {len(items)} {what}"), display_id=True)
            if get_ipython() else None)
    for number, item in enumerate(items, start=1):
        yield item
        if line:
            line.update(Markdown(f"{number} of {len(items)} {what}"))
