"""Terms of the glossary at their first use: what counts as one, and what a link is put around."""

import nbformat
import pytest

from deeplab.course import glossary


@pytest.fixture(autouse=True)
def page(tmp_path, monkeypatch):
    """A glossary of five terms."""
    path = tmp_path / "glossary.md"
    path.write_text("# Glossary\n\nWords.\n\n" + "\n".join(
        f"## {term}\n\nWhat {term} means.\n" for term in (
            "logits", "mIoU", "output stride", "row", "stride")), encoding="utf-8")
    monkeypatch.setattr(glossary, "GLOSSARY", path)


def cells(*sources):
    made = [nbformat.v4.new_code_cell(source[1:]) if source.startswith("%") else
            nbformat.v4.new_markdown_cell(source) for source in sources]
    for number, cell in enumerate(made, start=1):
        cell["id"] = f"02-{number:02}"
    return made


def test_the_terms_are_read_from_the_page():
    assert glossary.glossary()["mIoU"] == "What mIoU means."
    assert [*glossary.glossary()] == ["logits", "mIoU", "output stride", "row", "stride"]


@pytest.mark.parametrize("text", [
    "a [stride](glossary.md#stride) and a stride",
    "a *stride* is a step", "the **stride** of it", "### A stride\n\nnothing", "`stride=2`",
    "$stride$",
    "[a stride](other.ipynb)", "<details><summary>Hint</summary>\n\nstride\n\n</details>",
    "%stride = 2", "astride, strided", "IoU, miou and MIOU",
    "two in a row, row 3, rows and columns",
    "a row, and a [row](glossary.md#row) of the table",
])
def test_these_are_explained_or_no_use_of_a_term(text):
    assert glossary.unexplained(cells(text)) == {}


@pytest.mark.parametrize(("text", "term"), [
    ("a stride, then a [stride](glossary.md#stride)", "stride"), ("Strides of 2", "stride"),
    ("Output  \nstrides", "stride"), ("the output\nstride", "output stride"),
    ("the output-stride", "output stride"), ("**A** has stride **B**", "stride"),
    ("rows of the table", "row"), ("points of mIoU", "mIoU"),
])
def test_these_want_a_link(text, term):
    assert [*glossary.unexplained(cells(text))] == [term]


def test_links_are_put_around_first_uses_but_not_into_claims_or_everyday_words():
    made = cells("The output stride 8 of a row.", "Its stride, 3 logits and a stride.", "4 mIoU")
    made[2]["metadata"]["claims"] = {"4 mIoU": "'4 mIoU'"}
    glossary.link(made)
    assert [cell["source"] for cell in made] == [
        "The [output stride](glossary.md#output-stride) 8 of a row.",
        "Its [stride](glossary.md#stride), 3 [logits](glossary.md#logits) and a stride.", "4 mIoU"]
    assert [*glossary.unexplained(made)] == ["mIoU", "row"]


def test_a_lesson_may_have_a_word_in_its_everyday_sense_alone(monkeypatch):
    monkeypatch.setattr(glossary, "ONLY_EVERYDAY", {"02": {"row"}})
    assert glossary.unexplained(cells("a row of pixels")) == {}


def test_the_command_names_what_is_left(tmp_path, capsys):
    path = tmp_path / "lesson.ipynb"
    made = nbformat.v4.new_notebook(cells=cells("A stride and a row."))
    path.write_text(nbformat.writes(made), encoding="utf-8")
    assert glossary.main([str(path)]) == 1
    assert capsys.readouterr().out == ("02-01: row: …A stride and a row.…\n"
                                       "02-01: stride: …A stride and a row.…\n")
    assert glossary.main(["--link", str(path)]) == 1
    assert capsys.readouterr().out == "02-01: row: …de](glossary.md#stride) and a row.…\n"
