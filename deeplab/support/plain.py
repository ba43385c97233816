"""Texts of strangers made harmless for what shows them: one function for each medium.

`printable` is for terminals, logs and errors, `markdown` for tables and cells of notebooks,
`figure_text` for matplotlib, `cell` for CSV files. For HTML it is `html.escape`.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

# what begins a form of Markdown, and the colon or dot that makes a link of a bare address
MARKS = re.compile(r"[\\`*\[\]|~$#!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=/)|(?<=[wW]{3})\.")


def printable(text: object, *, keep: str = "") -> str:
    r"""A text that moves no cursor, sets no colour and turns no direction of writing.

    Other characters than printable ones, blanks and those in `keep` become their escape.

    >>> printable("a\x1b[2Jb\n"), printable("a\nb", keep="\n") == "a\nb"
    ('a\\x1b[2Jb\\n', True)
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep or unicodedata.category(one) == "Zs"
                   else repr(one)[1:-1] for one in text)


def markdown(text: object) -> str:
    r"""A text that Markdown shows as it is, in one line: no markup, HTML, link or formula.

    >>> markdown("<b>a|b</b> [x](http://y) voc_r50")
    '&lt;b&gt;a\\|b&lt;/b&gt; \\[x\\](http\\://y) voc_r50'
    """
    return MARKS.sub(r"\\\g<0>", html.escape(printable(text), quote=False))


def markdown_line(cells: Iterable[object]) -> str:
    """One line of a table in Markdown; the cells are texts, shown as they are."""
    return f"| {' | '.join(map(markdown, cells))} |"


def markdown_table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown: names in the first column flush left, everything else flush right.

    The cells are texts, shown as they are.
    """
    # not pandas' to_markdown: it needs another package, pads cells and turns "43.10" into 43.1
    rule = [":---", *["---:"] * (len(header) - 1)]
    return "\n".join(map(markdown_line, (header, rule, *rows)))


def cell(value: object) -> object:
    """A value for a CSV file that no spreadsheet takes for a formula.

    >>> cell("=1+1"), cell(-1), cell("cpu")
    ("'=1+1", -1, 'cpu')
    """
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@"))
    return f"'{value}" if is_formula else value


def figure_text(text: object) -> str:
    r"""A text that matplotlib draws as it is, for it takes what stands between dollars as formula.

    >>> figure_text("$x$ and \n")
    '\\$x\\$ and \\n'
    """
    return printable(text).replace("$", r"\$")
