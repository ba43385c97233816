"""Words of a lesson's prose that come from its outputs, and whether they still do.

A Markdown cell's metadata may hold `claims`: a text exactly as it stands in the cell, and a
Python expression over the lesson's names, as they are after the cells above, that gives it::

    "claims": {"35.8": "f'{scores[0]:.1f}'", "falls": "'falls' if a > b else 'rises'"}

`deeplab.course.refresh` evaluates them in the lesson's kernel. A text stands in its cell once:
where the same number stands twice, more of the words around it belong to the text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

WORD = re.compile(r"\S+\s+$")  # the last word of a text, and the space behind it


@dataclass(frozen=True)
class Claim:
    """One text of the cell `cell_id`, and what its expression gave: a value or an error."""

    cell_id: str
    text: str
    expression: str
    value: str = ""
    error: str = ""

    @property
    def holds(self) -> bool:
        """Whether the text is the value."""
        return not self.error and self.text == self.value

    @property
    def line(self) -> str:
        """What to print of it: cell, old text and new value, or the error."""
        if self.error:
            return f"{self.cell_id}: {self.text!r}: {self.expression} raises {self.error}"
        return f"{self.cell_id}: {self.text!r} → {self.value!r}"


def claims_of(cell: Any) -> dict[str, str]:
    """Text → expression of a cell; nothing where its metadata has none."""
    return dict(cell["metadata"].get("claims", {}))


def spans(source: str, texts: Iterable[str]) -> dict[str, list[tuple[int, int]]]:
    """Where each text stands in `source` as whole words and numbers, longer texts first.

    A place that belongs to a longer text is not one of a shorter text.

    >>> spans("from 35.8 to 5.8 or 35", ["5.8", "35", "35.8 to"])
    {'35.8 to': [(5, 12)], '5.8': [(13, 16)], '35': [(20, 22)]}
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for text in sorted(texts, key=len, reverse=True):
        before = r"(?<!\w)(?<!\d[.,])" if text[0].isalnum() else ""
        after = r"(?!\w)(?![.,]\d)" if text[-1].isalnum() else ""
        taken = [span for places in found.values() for span in places]
        found[text] = [match.span() for match in re.finditer(before + re.escape(text) + after,
                                                             source)
                       if not any(match.start() < end and start < match.end()
                                  for start, end in taken)]
    return found


def misplaced(cell: Any) -> list[str]:
    """A line for each claim whose text does not stand in its cell exactly once."""
    claims = claims_of(cell)
    if claims and cell["cell_type"] != "markdown":
        return [f"{cell['id']}: only a Markdown cell can have claims"]
    return [f"{cell['id']}: {text!r} stands {len(places)} times in the cell: once is wanted"
            + (", with more of the words around it" if places else "")
            for text, places in spans(cell["source"], claims).items() if len(places) != 1]


def rewritten(source: str, claims: Iterable[Claim]) -> tuple[str, dict[str, str]]:
    """The prose and the claims of a cell with each value in the place of its text.

    Where a new value would stand twice, words before it are taken into the text. Raises
    `ValueError` where even that does not tell the texts apart.
    """
    claims = list(claims)
    places = {text: found[0] for text, found in
              spans(source, [claim.text for claim in claims]).items()}
    prose, end, new = "", 0, []
    for claim in sorted(claims, key=lambda claim: places[claim.text]):
        start, stop = places[claim.text]
        prose += source[end:start] + claim.value
        new.append((len(prose) - len(claim.value), len(prose), claim.expression))
        end = stop
    prose += source[end:]
    texts = dict(_told_apart(prose, *value) for value in new)
    if len(texts) < len(new) or any(len(found) != 1 for found in spans(prose, texts).values()):
        raise ValueError(f"the new values cannot be told apart in: {prose}")
    return prose, texts


def _told_apart(prose: str, start: int, stop: int, expression: str) -> tuple[str, str]:
    """A value's text, with words before it until it stands once, and the expression for that."""
    first = start
    while (len(spans(prose, [prose[first:stop]])[prose[first:stop]]) > 1
           and (word := WORD.search(prose[:first]))):
        first = word.start()
    more = prose[first:start]
    return prose[first:stop], f"{more!r} + str({expression})" if more else expression
