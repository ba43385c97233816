"""The budgets and promises of the course, read from the notebooks as they are committed."""

import ast
import builtins
import importlib
import inspect
import re
import statistics
import warnings
from pathlib import Path

import nbformat
import pytest

import deeplab.course
from deeplab.course.claims import claims_of, misplaced, spans
from deeplab.course.glossary import anchor, glossary, unexplained
from deeplab.course.refresh import lab_metadata

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
NUMBERED = sorted(NOTEBOOKS.glob("[01][0-9]_*.ipynb"))
LESSONS = [*NUMBERED, NOTEBOOKS / "going_deeper.ipynb"]  # which is read after lesson 5
SOLUTIONS = sorted((NOTEBOOKS / "solutions").glob("*.ipynb"))
PAPERMILL = [NOTEBOOKS / name for name in ("row.ipynb", "report.ipynb", "paper.ipynb")]
PAGES = [*LESSONS, NOTEBOOKS / "from_resnet_to_a_dense_map.ipynb",
         NOTEBOOKS / "your_own_pictures.ipynb"]
ALL = [*PAGES, *SOLUTIONS, *PAPERMILL]
EXERCISE = re.compile(r"^### Exercise ((?:\d+|D)\.\d) · .+ \(\d+ minutes, difficulty [123]\)$",
                      re.M)

DECIMAL = re.compile(r"(?<![\w.])\d[\d,]*\.\d+(?![\w]|\.\d)")
NO_OUTPUT = re.compile(r"```.+?```|`[^`]+`|\$[^$]+\$|^#[^\n]*$|\]\([^)]*\)|Sec\. [\d.]+|"
                       r"(?:Exercise|Table|Fig\.|Eq\.) [\d.]+", re.M | re.S)
EXERCISES, WORKSHOPS, QUESTIONS = 55, 13, 45  # at least


def by_name(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path):
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def outputs(path):
    return [output for cell in code_cells(path) for output in cell.outputs]


def said(cell):
    """What a code cell printed or displayed as text, without the lines of the checks."""
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/png" not in data:
            text = output.get("text", "") or data.get("text/markdown") or data.get("text/plain", "")
            yield re.sub(r"Exercise \S+:", "", text)


def imported(module, name):
    """What `from module import name` gives."""
    found = getattr(importlib.import_module(module), name, None)
    return importlib.import_module(f"{module}.{name}") if found is None else found


def number(path):
    """What a lesson's title, exercises and checks begin with: 0 to 12, or D."""
    return "D" if path.stem == "going_deeper" else int(path.stem[:2])


def test_there_are_fourteen_lessons_each_with_solutions():
    assert [number(path) for path in LESSONS] == [*range(13), "D"]
    assert [path.name for path in SOLUTIONS] == [path.name for path in LESSONS]


def test_a_lesson_has_two_to_five_exercises():
    counts = {path.stem: len(EXERCISE.findall(prose(path))) for path in LESSONS}
    assert not {name: count for name, count in counts.items() if not 2 <= count <= 5}


@by_name(LESSONS)
def test_exercises_are_numbered_in_the_order_of_the_lesson_and_of_its_checks(path):
    found = EXERCISE.findall(prose(path))
    assert found == [f"{number(path)}.{index}" for index in range(1, len(found) + 1)]
    said = [re.findall(r"Exercise (\S+): not attempted yet", output.get("text", ""))
            for output in outputs(path)]
    assert sum(said, []) == found


@by_name(SOLUTIONS)
def test_solutions_solve_every_exercise_of_their_lesson(path):
    correct = [re.findall(r"Exercise (\S+): correct", output.get("text", ""))
               for output in outputs(path)]
    assert sum(correct, []) == EXERCISE.findall(prose(NOTEBOOKS / path.name))


@by_name([*PAGES, *SOLUTIONS])
def test_a_notebook_was_executed_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@by_name(ALL)
def test_a_notebook_is_small_and_says_in_which_language_it_is(path):
    assert path.stat().st_size <= 400_000
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.language_info.name == "python"
    assert "widgets" not in notebook.metadata


@by_name(PAGES + SOLUTIONS)
def test_opening_and_saving_a_notebook_changes_nothing(path):
    """But for the version of Python, which JupyterLab writes as the reader's."""
    notebook, lab = read(path), lab_metadata()
    assert nbformat.writes(notebook) + "\n" == path.read_text(encoding="utf-8")
    lab["language_info"]["version"] = notebook.metadata["language_info"]["version"]
    assert notebook.metadata == lab


@by_name(ALL)
def test_folded_text_is_read_as_markdown(path):
    """A blank line on either side, or Markdown between HTML shows its literal backticks."""
    text = prose(path)
    folded = re.findall(r"<details><summary>[^<]+</summary>\n\n.+?\n\n</details>\n?", text,
                        flags=re.S)
    assert len(folded) == text.count("<details>") == text.count("</details>")


@by_name(LESSONS)
def test_a_lesson_has_25_to_55_cells_and_short_code(path):
    assert 25 <= len(read(path).cells) <= 55
    lengths = [len(lines(cell)) for cell in code_cells(path)]
    assert statistics.median(lengths) <= 5
    assert max(lengths) <= 25


@by_name(LESSONS)
def test_a_lesson_has_six_to_sixteen_words_of_open_prose_a_line_of_code(path):
    """Folded hints and answers are read by those who unfold them."""
    unfolded = re.sub(r"<details>.+?</details>", " ", prose(path), flags=re.S)
    words = len(re.sub(r"[|:\-]{2,}", " ", unfolded).split())
    code = sum(len(lines(cell)) for cell in code_cells(path))
    assert 6 <= words / code <= 16


@by_name(LESSONS)
def test_no_more_than_two_code_cells_follow_each_other(path):
    kinds = "".join(cell.cell_type[0] for cell in read(path).cells)
    assert "ccc" not in kinds


@by_name(LESSONS)
def test_a_lesson_has_the_skeleton(path):
    cells, text = read(path).cells, prose(path)
    assert re.match(rf"# {number(path)} · .+\n\n\*\*.+\?\*\*", cells[0].source)
    assert any("image/png" in output.get("data", {}) for output in cells[1].outputs)
    for words in ("**You will be able to**", "*Needs:*", "*Time:*", "*Paper:*", "**Predict.**",
                  "Hint 1", "Hint 2", "## Summary", "the paper reports", "measured here"):
        assert words in text, words
    assert text.count("**Predict.**") >= 2
    assert text.count("<details>") == text.count("</details>")
    following = {"D": NUMBERED[6].name, 12: "report.ipynb"}
    assert (following.get(number(path)) or NUMBERED[number(path) + 1].name) in cells[-1].source


@by_name(LESSONS)
def test_a_lesson_ends_with_three_questions_their_folded_answers_and_further_reading(path):
    end = read(path).cells[-1].source
    questions, _, reading = end.partition("## Further reading\n")
    asked = re.findall(r"^\*\*Question (\d)\.\*\* [^\n]+\?[^\n]*\n\n<details><summary>Answer (\d)"
                       r"</summary>\n\n[^\n]+\n\n</details>$", questions, flags=re.M)
    assert asked == [("1", "1"), ("2", "2"), ("3", "3")]
    assert 3 <= len(re.findall(r"^- \[.+\]\(https://\S+\): .+\.$", reading, flags=re.M)) <= 5


@by_name([*PAGES, *SOLUTIONS])
def test_a_claim_stands_in_its_cell(path):
    """Whether it is what the cells give, `python -m deeplab.course.refresh --check` says."""
    assert sum((misplaced(cell) for cell in read(path).cells), []) == []


@by_name(PAGES)
def test_a_decimal_number_of_prose_that_was_printed_before_is_a_claim(path):
    """But for code, headings, and the numbers of sections and tables."""
    printed, unclaimed = set(), []
    for cell in read(path).cells:
        if cell.cell_type == "code":
            printed |= set(DECIMAL.findall(" ".join(said(cell))))
            continue
        claimed = sum(spans(cell.source, claims_of(cell)).values(), [])
        for found in DECIMAL.finditer(NO_OUTPUT.sub(lambda part: " " * len(part[0]), cell.source)):
            within = any(start <= found.start() < end for start, end in claimed)
            if found[0] in printed and not within:
                unclaimed.append(f"{cell.id}: {found[0]}")
    assert not unclaimed


def test_the_search_for_numbers_passes_over_code_and_sections():
    text = "### Exercise 5.2\n`1.5` $2.5$ (Sec. 3.5) [4.5](x/5.5) 35.8%, 6.5. 7.5.1"
    assert DECIMAL.findall(NO_OUTPUT.sub(" ", text)) == ["4.5", "35.8", "6.5"]


@by_name(LESSONS)
def test_one_cell_of_a_lesson_fails_on_purpose(path):
    failing = [cell for cell in code_cells(path)
               if "raises-exception" in cell.metadata.get("tags", [])]
    assert failing
    assert all(cell.outputs[-1].output_type == "error" for cell in failing)


@by_name(PAGES)
def test_every_picture_has_alternative_text(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                assert len(alt.split()) >= 8, f"{cell.id}: {alt!r}"


@by_name([*PAGES, *SOLUTIONS])
def test_no_output_holds_a_warning_a_path_or_an_unexpected_error(path):
    for cell in code_cells(path):
        said = repr([{**output, "data": {**output.get("data", {}), "image/png": ""}}
                     for output in cell.outputs])
        assert "Warning" not in said, cell.id
        assert not re.search(r"/(root|home|work|tmp|Users)/", said), cell.id
        assert not any(output.get("name") == "stderr" for output in cell.outputs), cell.id
        if "raises-exception" not in cell.metadata.get("tags", []):
            assert not any(output.output_type == "error" for output in cell.outputs), cell.id


@by_name(LESSONS)
def test_a_lesson_defines_nothing_but_exercise_stubs(path):
    for cell in code_cells(path):
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ast.ClassDef | ast.Lambda), cell.id
            if isinstance(node, ast.FunctionDef):
                assert node.name.startswith("my_"), cell.id
                assert ast.unparse(node.body[-1]) == "raise NotImplementedError", cell.id


@by_name(ALL)
def test_links_lead_to_files_that_exist(path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", prose(path)):
        if not target.startswith(("https:", "attachment:")):
            assert (path.parent / target).exists(), target


@by_name([*PAGES, *SOLUTIONS])
def test_cell_ids_follow_the_order_of_cells(path):
    prefix = path.stem[:2] if path.stem[0].isdigit() else path.stem
    ids = [cell.id for cell in read(path).cells]
    assert ids == [f"{prefix}-{index:02}" for index in range(1, len(ids) + 1)]


@by_name(ALL)
def test_code_runs_without_syntax_warnings_and_imports_what_exists(path):
    for cell in code_cells(path):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = ast.parse(cell.source)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("deeplab"):
                for alias in node.names:
                    imported(node.module, alias.name)


@by_name(ALL)
def test_code_uses_only_names_that_exist(path):
    """Names that the notebook binds, and functions that the modules it imports have."""
    tree = ast.parse("\n".join(cell.source for cell in code_cells(path)))
    bound, modules = {*dir(builtins), "display"}, {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            modules |= {alias.name: imported(node.module, alias.name) for alias in node.names
                        if getattr(node, "module", "").startswith("deeplab")}
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        else:
            bound.add(getattr(node, "name", None) or getattr(node, "arg", None))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            assert node.id in bound, f"{node.id} is bound nowhere"
        elif isinstance(node, ast.Attribute):
            module = modules.get(ast.unparse(node.value))
            assert not inspect.ismodule(module) or hasattr(module, node.attr), ast.unparse(node)


def test_the_glossary_is_sorted_and_explains_words_that_the_lessons_use():
    text = (NOTEBOOKS / "glossary.md").read_text(encoding="utf-8")
    terms = list(glossary())
    assert len(terms) == text.count("\n## ") >= 40
    assert all(re.fullmatch(r".{20,}[.)]", definition) for definition in glossary().values())
    assert terms == sorted(terms, key=str.lower)
    lessons = " ".join(cell.source for path in PAGES for cell in read(path).cells)
    lessons = lessons.lower().replace("_", " ")
    assert not [term for term in terms if term.lower() not in lessons]
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (NOTEBOOKS / target).is_file(), target


@by_name(ALL)
def test_links_into_the_glossary_lead_to_terms(path):
    found = re.findall(r"glossary\.md#([^)]*)\)", prose(path))
    assert set(found) <= {anchor(term) for term in glossary()}


@by_name(PAGES)
def test_a_term_of_the_glossary_is_linked_or_defined_where_it_is_used_first(path):
    """`python -m deeplab.course.glossary --link` links what needs no judgement."""
    cells = read(path).cells
    assert {term: cells[place[0]].id for term, place in unexplained(cells).items()} == {}


def checks_by_room():
    """(number, name) of every check, by the folder that it lies in."""
    found = {}
    for source in sorted(Path(deeplab.course.__file__).parent.glob("*/checks.py")):
        found[source.parent.name] = [
            (mark.args[0].value, node.name)
            for node in ast.parse(source.read_text(encoding="utf-8")).body
            for mark in getattr(node, "decorator_list", [])
            if ast.unparse(mark).startswith("exercise(")]
    return found


def functions_that_test(room):
    """The functions of the tests of a room's checks."""
    source = Path(__file__).parent / "course" / room / f"test_checks_{room}.py"
    return [node for node in ast.parse(source.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef)]


def wrong_answers(tests, name):
    """How many wrong answers, each with the sentence expected, the check `name` is tried on."""
    return sum(len(mark.args[1].elts) for test in tests for mark in test.decorator_list
               if re.search(rf"\b{name}\b", ast.unparse(test))
               and isinstance(mark, ast.Call) and ast.unparse(mark.func).endswith("parametrize")
               and "message" in ast.unparse(mark.args[0]))


def test_every_exercise_has_one_check():
    checks = sum(checks_by_room().values(), [])
    exercises = sum((EXERCISE.findall(prose(path)) for path in LESSONS), [])
    assert sorted(number for number, _ in checks) == sorted(exercises)


@pytest.mark.parametrize("room", checks_by_room())
def test_a_check_passes_the_right_answer_and_is_tried_on_three_wrong_ones_or_more(room):
    tests = functions_that_test(room)
    for _, name in checks_by_room()[room]:
        assert any("correct" in ast.unparse(test) for test in tests
                   if re.search(rf"\b{name}\b", ast.unparse(test))), name
        assert wrong_answers(tests, name) >= 3, name


def test_there_are_170_wrong_answers_and_more():
    assert sum(wrong_answers(functions_that_test(room), name)
               for room, checks in checks_by_room().items() for _, name in checks) >= 170


def test_the_course_is_as_large_as_it_says():
    text = "\n".join(map(prose, PAGES))
    assert len(PAGES) >= 15
    assert len(EXERCISE.findall(text)) >= EXERCISES
    assert len(re.findall(r"^### Exercise \S+ · Workshop: ", text, flags=re.M)) >= WORKSHOPS
    assert len(re.findall(r"^\*\*Question \d\.\*\*", text, flags=re.M)) >= QUESTIONS
