"""Texts of strangers: no terminal, table or figure takes a part of them for its own."""

import re

import mistune
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from deeplab.support.plain import figure_text, markdown, printable

HOSTILE = ["<script>alert(1)</script>", "![x](http://127.0.0.1/x.png)", "[x](javascript:alert(1))",
           "<img src=x onerror=alert(1)>", "a|b|c", "`code`", "**bold** _x_ ~~y~~", "$x$", "\\<b>",
           "http://evil.example/x", "www.evil.example", "&lt;b&gt;", "a\n\n# heading", "a\\|b",
           "<http://evil.example>", "[x]: http://evil.example", "<!-- x -->", "<meta a=b>"]


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_every_character_and_makes_nothing_of_it(text):
    render = mistune.create_markdown(escape=False, plugins=["table", "strikethrough", "url"])
    cell = markdown(text)
    page = render(f"| head | b |\n| :- | -: |\n| {cell} | 2 |\n\n- row: {cell}\n")
    tags = set(re.findall(r"<(/?\w+)", page))
    assert tags <= {one for name in ("table", "thead", "tbody", "tr", "th", "td", "ul", "li", "p")
                    for one in (name, "/" + name)}
    shown = re.findall(r"<li>(?:<p>)?row: (.*?)(?:</p>)?\s*</li>", page, re.DOTALL)[0]
    plain = shown
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        plain = plain.replace(entity, character)
    assert plain == printable(text)


@pytest.mark.parametrize("name", ["voc_r50_d8", "my-data.v2+x", "77.50 ± 0.10 (3)", "—", "résumé"])
def test_what_is_harmless_stays_as_it_is(name):
    assert markdown(name) == printable(name) == figure_text(name) == name


@pytest.mark.parametrize("text, shown", [
    ("\x1b]0;title\x07", r"\x1b]0;title\x07"), ("a\rb", r"a\rb"), ("\u202egnp", r"\u202egnp"),
    ("a\nb", r"a\nb"), ("\ud800", r"\ud800"), ("a\u202fb", "a\u202fb"), (3, "3"),
    ("\x9b2J", r"\x9b2J")])
def test_a_terminal_is_told_nothing(text, shown):
    assert printable(text) == shown


def test_a_figure_draws_dollars_and_does_no_mathematics():
    fig = Figure(figsize=(1, 1))
    fig.text(0, 0, figure_text(r"$\frac{$ and \unknown $"))
    FigureCanvasAgg(fig).draw()
    with pytest.raises(ValueError):
        bad = Figure()
        bad.text(0, 0, r"$\frac{$")
        FigureCanvasAgg(bad).draw()
