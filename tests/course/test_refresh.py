"""Claims of prose: evaluated in the lesson at their place, refused or rewritten, without trace."""

import json

import nbformat
import pytest

from deeplab.course.claims import Claim, rewritten, spans
from deeplab.course.refresh import main, refresh
from deeplab.support.errors import UsageError

CELLS = [("code", "score = 35.84\nfirst = score"),
         ("markdown", "It scores 35.8 % and rises; 5.8 is no claim.",
          {"35.8": "f'{score:.1f}'", "rises": "'rises' if score > 0 else 'falls'"}),
         ("code", "score = -2\nprint(_ if '_' in globals() else 'no trace')")]


def lesson(folder, cells=CELLS):
    made = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell(text) if kind == "code" else
        nbformat.v4.new_markdown_cell(text, metadata={"claims": claims[0]} if claims else {})
        for kind, text, *claims in cells])
    path = folder / "lesson.ipynb"
    path.write_text(nbformat.writes(made), encoding="utf-8")
    return path


def with_claims(text, claims):
    return [CELLS[0], ("markdown", text, claims), CELLS[2]]


def test_claims_that_hold_are_kept_and_leave_no_trace(tmp_path):
    path = lesson(tmp_path)
    assert refresh(path) == []
    code, prose, last = json.loads(path.read_text())["cells"]
    assert prose["metadata"] == {"claims": CELLS[1][2]}
    assert [code["execution_count"], last["execution_count"]] == [1, 2]
    assert "".join(last["outputs"][0]["text"]) == "\n"  # `_` is still the empty string
    assert len(last["outputs"]) == 1 and not code["outputs"]


def test_a_counter_that_is_over_leaves_no_output(tmp_path):
    path = lesson(tmp_path, [("code", "from deeplab.course.counting import counted\n"
                                      "print(sum(counted(range(3), 'steps', stays=False)))\n"
                                      "print(sum(counted(range(4), 'numbers')))")])
    refresh(path)
    (code,) = json.loads(path.read_text())["cells"]
    said = [output.get("text") or output["data"]["text/markdown"] for output in code["outputs"]]
    assert said == [["3\n"], ["4 of 4 numbers"], ["6\n"]]


@pytest.mark.parametrize(("text", "claims", "said"), [
    ("It scores 34.9.", {"34.9": "f'{score:.1f}'"}, "lesson-02: '34.9' → '35.8'"),
    ("It scores 35.9.", {"35.8": "f'{score:.1f}'"}, "'35.8' stands 0 times"),
    ("135.8 is not it, nor 35.81.", {"35.8": "f'{score:.1f}'"}, "'35.8' stands 0 times"),
    ("35.8 and 35.8", {"35.8": "f'{score:.1f}'"}, "'35.8' stands 2 times"),
    ("It scores 35.8.", {"35.8": "later"}, "NameError: name 'later' is not defined"),
    ("Two cells on it is -2.", {"-2": "score"}, "'-2' → '35.84'"),
])
def test_a_claim_that_does_not_hold_is_refused(tmp_path, text, claims, said):
    path = lesson(tmp_path, with_claims(text, claims))
    before = path.read_bytes()
    with pytest.raises(UsageError, match="E-CLAIM") as raised:
        refresh(path)
    assert said in str(raised.value)
    assert path.read_bytes() == before


def test_a_code_cell_has_no_claims(tmp_path):
    path = lesson(tmp_path)
    made = nbformat.read(path, as_version=4)
    made.cells[0].metadata["claims"] = {"35.84": "score"}
    path.write_text(nbformat.writes(made), encoding="utf-8")
    with pytest.raises(UsageError, match="lesson-01: only a Markdown cell can have claims"):
        refresh(path)


def test_rewrite_puts_the_value_into_prose_and_claim(tmp_path, capsys):
    path = lesson(tmp_path, with_claims("It falls: 34.9 after 3.", {
        "34.9": "f'{score:.1f}'", "falls": "'rises' if score > 0 else 'falls'"}))
    assert main(["--rewrite", str(path)]) == 0
    assert "lesson-02: '34.9' → '35.8'" in capsys.readouterr().out
    prose = nbformat.read(path, as_version=4).cells[1]
    assert prose.source == "It rises: 35.8 after 3."
    assert prose.metadata.claims == {"35.8": "f'{score:.1f}'",
                                     "rises": "'rises' if score > 0 else 'falls'"}
    assert refresh(path) == []


def test_check_reports_and_writes_nothing(tmp_path, capsys):
    path = lesson(tmp_path, with_claims("34.9 % right", {"34.9": "f'{score:.1f}'"}))
    before = path.read_bytes()
    assert main(["--check", str(path)]) == 2
    assert "'34.9' → '35.8'" in capsys.readouterr().out
    assert main(["--check", str(lesson(tmp_path))]) == 0
    assert path.read_bytes() != before  # the lesson that holds, as it was written: unexecuted
    assert nbformat.read(path, as_version=4).cells[0].execution_count is None


def test_a_longer_text_holds_its_place_against_a_shorter_one():
    assert spans("30 % of 30 in 130 or 30.5", ["30", "30 %"]) == {"30 %": [(0, 4)],
                                                                  "30": [(8, 10)]}


def test_values_that_become_equal_take_words_along():
    claims = [Claim("02", "35.3", "a", value="36.1"), Claim("02", "36.8", "b", value="36.1")]
    prose, texts = rewritten("It gains 35.3 against 36.8 in 36 minutes.", claims)
    assert prose == "It gains 36.1 against 36.1 in 36 minutes."
    assert texts == {"gains 36.1": "'gains ' + str(a)", "against 36.1": "'against ' + str(b)"}


def test_values_that_cannot_be_told_apart_are_refused():
    claims = [Claim("02", "2", "a", value="3"), Claim("02", "4", "b", value="3")]
    with pytest.raises(ValueError, match="told apart"):
        rewritten("2/4", claims)
