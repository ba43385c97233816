"""The glossary's terms in a lesson: linked or defined where a reader first meets them.

For whoever changes a lesson: `python -m deeplab.course.glossary FILE…` names the terms that a
lesson uses without a link and where; with `--link` it links them there.

A term is defined where it stands emphasised (*output stride*), linked where it stands in
`[output stride](glossary.md#output-stride)`. Headings, code, formulas, other links and folded
text are no first use. A word with an everyday sense (a cell of a notebook, a row of pixels) is
linked by hand, where it is the term; `ONLY_EVERYDAY` has the lessons in which it never is.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from deeplab.course.claims import claims_of, spans
from deeplab.support.files import atomic_write
from deeplab.support.folders import PROJECT

GLOSSARY = PROJECT / "notebooks" / "glossary.md"
TERM = re.compile(r"^## (.+)\n\n(.+)$", re.M)
PASSED_OVER = re.compile(
    r"<details>.*?</details>|```.*?```|`[^`\n]+`|\$[^$\n]+\$|^#[^\n]*$|\*\*[^*\n]+\*\*$"
    r"|\[[^\]\n]*\]\((?!(?:\.\./)?glossary\.md)[^)\n]*\)|https?://\S+", re.M | re.S)
EXPLAINED = re.compile(r"\[[^\]\n]*\]\((?:\.\./)?glossary\.md#[^)\n]*\)"
                       r"|(?<![*\w])\*{1,2}(?=\S)[^*\n]+(?<=\S)\*{1,2}(?!\w)")
IDIOMS = re.compile(r"in a row|rows? and columns?|row \d+", re.I)
EVERYDAY = {"block", "cell", "crop", "head", "map", "profile", "projection", "rate", "row",
            "seed", "stage"}
# lesson, by the beginning of its cells' ids → words
ONLY_EVERYDAY: dict[str, set[str]] = {"08": {"rate"}}


def glossary() -> dict[str, str]:
    """Term → definition, in the order of the page."""
    return dict(TERM.findall(GLOSSARY.read_text(encoding="utf-8")))


def anchor(term: str) -> str:
    """What a link to a term ends with.

    >>> anchor("Multi-Grid"), anchor("train id")
    ('multi-grid', 'train-id')
    """
    return term.lower().replace(" ", "-")


def unexplained(cells: list[Any]) -> dict[str, tuple[int, int, int]]:
    """Term → (index of the cell, start, end) of each first use that has no link or definition.

    A use within a longer term, "stride" in "output stride", is none.
    """
    sources = [_read(cell["source"]) if cell["cell_type"] == "markdown" else "" for cell in cells]
    words, found = glossary(), {}
    only_everyday = ONLY_EVERYDAY.get(cells[0]["id"].rpartition("-")[0], set())
    for term in sorted(words, key=len, reverse=True):
        uses = [(index, *match.span()) for index, source in enumerate(sources)
                for match in _forms(term).finditer(source)]
        explained = [_is_explained(sources[index], start) for index, start, _ in uses]
        if uses and term not in only_everyday and not (
                any(explained) if term in EVERYDAY else explained[0]):
            found[term] = uses[0]
        sources = [_forms(term).sub(lambda part: "_" * len(part[0]), source)
                   for source in sources]
    return {term: found[term] for term in words if term in found}


def link(cells: list[Any]) -> None:
    """Link each of them, but words with an everyday sense and those within a claim's text."""
    places = {term: place for term, place in unexplained(cells).items() if term not in EVERYDAY}
    for term, (index, start, end) in sorted(places.items(), key=lambda item: item[1],
                                            reverse=True):
        source = cells[index]["source"]
        claimed = sum(spans(source, claims_of(cells[index])).values(), [])
        if not any(first < end and start < last for first, last in claimed):
            name = f"[{source[start:end]}](glossary.md#{anchor(term)})"
            cells[index]["source"] = source[:start] + name + source[end:]


def _read(source: str) -> str:
    """What counts of a Markdown cell; everything else is blanked, so that places stay."""
    for pattern in (PASSED_OVER, IDIOMS):
        source = pattern.sub(lambda part: " " * len(part[0]), source)
    return source


def _forms(term: str) -> re.Pattern[str]:
    """A term as a whole word, with any ending of a plural; abbreviations as they are written."""
    words = r"[ \n-]".join(map(re.escape, re.split("[ -]", term)))
    return re.compile(rf"(?<![\w-]){words}(?:e?s)?(?![\w])",
                      re.I if term.islower() or "-" in term else 0)


def _is_explained(source: str, place: int) -> bool:
    return any(match.start() <= place < match.end() for match in EXPLAINED.finditer(source))


def main(words: list[str] | None = None) -> int:
    """Name or link the terms of the files that are given; 1 if any is left."""
    import nbformat
    parser = argparse.ArgumentParser(prog="python -m deeplab.course.glossary")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--link", action="store_true", help="link the terms where they stand")
    given, code = parser.parse_args(words), 0
    for path in given.files:
        notebook = nbformat.read(path, as_version=4)
        if given.link:
            link(notebook.cells)
            atomic_write(path, nbformat.writes(notebook) + "\n")
        for term, (index, start, _) in unexplained(notebook.cells).items():
            cell, code = notebook.cells[index], 1
            around = " ".join(cell["source"][max(0, start - 30):start + 40].split())
            print(f"{cell['id']}: {term}: …{around}…")
    return code


if __name__ == "__main__":
    sys.exit(main())
