"""What a page of the site adds to a committed notebook, when Sphinx reads it.

The notebooks are written for Jupyter, and stay as they are. Here **Predict** becomes a box, hints
fold, cells that only import or draw are folded, figures get their alternative text, an exercise
leads to its solution, and an explorer is put below the figure that stands for it.
"""

import ast
import json
import re

EXPLORERS = {"00_start_here": ("overlay", "overlay.explore("),
             "02_atrous_convolution": ("rates", "explorer.explore("),
             "05_aspp": ("mixer", "mixer.explore("),
             "12_the_whole_table": ("table", "explorer.explore(")}
REPORTS = ("report", "paper")  # of which the pictures are read, and the code is folded
TITLES = {"overlay": "Overlay viewer", "rates": "Rate explorer", "mixer": "Branch mixer",
          "table": "Table explorer"}
INSTALL = """# Colab does not have the course: fetch it and install it.
import importlib.util
import sys

if importlib.util.find_spec("deeplab") is None:
    !git clone --quiet --depth 1 https://github.com/{repository} course
    %pip install --quiet --no-deps --editable course
    %pip install --quiet papermill imagecodecs
    sys.path.insert(0, "course")  # what was installed is found from the next start on"""
HINT = re.compile(r"<details>\s*<summary>(.*?)</summary>(.*?)</details>\s*", re.S)
PREDICT = re.compile(r"^\*\*Predict\.\*\* (.*?)(?=\n\n|\Z)", re.S | re.M)
INCLUDED = re.compile(r"(\]\([./]*results/example/(?:paper/)?)(?:page|table)\.md\b")  # in an index
EXERCISE = re.compile(r"^#{2,3} Exercise (\d+|D)\.(\d+)", re.M)  # D: Going deeper
SHOWING = ("plots.show", "show", "show_table", "tables.show_table", "mixer.explore",
           "explorer.explore", "overlay.explore", "torch.manual_seed")


def transform(notebook, name, *, repository=""):
    """The notebook (parsed JSON) called `name`, such as "notebooks/05_aspp", as a page shows it."""
    stem, is_solution = name.rpartition("/")[2], "/solutions/" in name
    cells, exercises = [], []
    for cell in notebook["cells"]:
        source = _text(cell["source"])
        if cell["cell_type"] == "markdown":
            cell["source"] = solution_text(source) if is_solution else page_text(source)
            found = [".".join(match.groups()) for match in EXERCISE.finditer(source)]
            if not is_solution and exercises and (HINT.search(source) or found):
                cell["source"] = _with_solutions(cell["source"], exercises, stem)
                exercises = []
            exercises += found
        elif cell["cell_type"] == "code":
            cell["metadata"] = code_metadata(cell, source, is_solution=is_solution,
                                             is_report=stem in REPORTS)
        cells.append(cell)
        if stem in EXPLORERS and EXPLORERS[stem][1] in source:
            cells.append(_markdown("explorer", explorer(EXPLORERS[stem][0], up="../")))
    cells.insert(1, _markdown("downloads", downloads(name, repository)))
    return notebook | {"cells": cells}


def page_text(source):
    """Markdown of a lesson: **Predict** as a box, hints as folds, links to pages that there are."""
    source = INCLUDED.sub(r"\1index.md", source)
    source = PREDICT.sub(r":::{admonition} Predict\n:class: predict\n\1\n:::", source)
    return HINT.sub(_fold, source)


def solution_text(source):
    """Markdown of a solution: what comes below an exercise's heading is folded."""
    heading, _, rest = source.partition("\n")
    if not EXERCISE.search(source) or not rest.strip():
        return source
    return f"{heading}\n\n:::{{dropdown}} The way there\n{rest.strip()}\n:::\n"


def code_metadata(cell, source, *, is_solution, is_report=False):
    """The cell's metadata with what folds it, and with the alternative text of its figure."""
    metadata = dict(cell["metadata"])
    tags = list(metadata.get("tags", []))
    if is_solution and "def " in source:
        tags.append("hide-cell")
    elif is_only_imports_or_figures(source):
        tags.append("hide-input")
    if is_report and "hide-input" not in tags:
        tags.append("hide-input")
    if tags:
        metadata["tags"] = tags
    alts = [output["metadata"]["image/png"]["alt"] for output in cell.get("outputs", [])
            if output.get("metadata", {}).get("image/png", {}).get("alt")]
    if alts:
        metadata["mystnb"] = {"image": {"alt": " ".join(alts)}}
    return metadata


def is_only_imports_or_figures(source):
    """Whether a cell has nothing to read but imports and the call that draws a figure."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a line for IPython
        return False
    return bool(body) and all(
        isinstance(node, ast.Import | ast.ImportFrom)
        or isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) in SHOWING for node in body)


def explorer(kind, *, up):
    """The place of an explorer, and its scripts; `up` leads from the page to the site's root."""
    if kind == "overlay":
        body = (f'<iframe class="explorer-frame" src="{up}_static/explorers/overlay.html" '
                'title="Overlay viewer" loading="lazy"></iframe>\n'
                f'<script defer src="{up}_static/explorers/parts.js"></script>')
    else:
        scripts = "".join(f'<script defer src="{up}_static/explorers/{file}"></script>'
                          for file in ("parts.js", f"{kind}-data.js", f"{kind}.js"))
        body = f'<div class="explorer" data-explorer="{kind}"></div>\n{scripts}'
    return (f":::{{admonition}} {TITLES[kind]}\n:class: explorer-box\n\n"
            f"```{{raw}} html\n{body}\n```\n:::\n")


def downloads(name, repository):
    """The line below a page's title: the notebook itself, and where it can be run elsewhere."""
    file = name.rpartition("/")[2] + ".ipynb"
    line = f"{{download}}`Download this notebook <{file}>`"
    if repository:
        line += (f" · [open in Colab](https://colab.research.google.com/github/{repository}/blob/main/"
                 f"{name}.ipynb) · [open in Binder](https://mybinder.org/v2/gh/{repository}/main"
                 f"?labpath={name}.ipynb). What is downloaded installs the course by itself; "
                 f"in Colab run first: `%pip install git+https://github.com/{repository}`")
    return f"{{.downloads}}\n{line}"


def with_installation(notebook, repository):
    """The notebook (parsed JSON) with a cell below its title that installs the course.

    It does nothing where the course is installed; Colab, which knows no such repository, needs it.
    """
    source = INSTALL.format(repository=repository)
    cell = {"cell_type": "code", "id": "install", "execution_count": None, "outputs": [],
            "metadata": {"tags": ["hide-input"]}, "source": source}
    cells = notebook["cells"]
    return notebook | {"cells": [cells[0], cell, *cells[1:]]}


def _with_solutions(source, exercises, stem):
    """`source` with a line behind its hints that leads to the solutions of `exercises`."""
    links = " · ".join(f"[Solution to exercise {number}](solutions/{stem}.ipynb"
                       f"#exercise-{number.replace('.', '').lower()})" for number in exercises)
    line = f"{{.solution-link}}\n{links}\n\n"
    end = source.rfind(":::\n", 0, _first_heading(source)) if ":::{dropdown}" in source else -1
    cut = end + len(":::\n") if end >= 0 else 0
    return f"{source[:cut]}\n{line}{source[cut:]}"


def _first_heading(source):
    match = re.search(r"^#{1,4} ", source, re.M)
    return match.start() if match else len(source)


def _fold(match):
    title, text = (part.strip() for part in match.groups())
    return f":::{{dropdown}} {title}\n{text}\n:::\n"


def _text(source):
    return source if isinstance(source, str) else "".join(source)


def _markdown(name, source):
    return {"cell_type": "markdown", "id": f"site-{name}", "metadata": {}, "source": source}


def _read(app, docname, source):
    if str(app.env.doc2path(docname)).endswith(".ipynb"):
        page = transform(json.loads(source[0]), docname, repository=app.config.deeplab_repository)
        source[0] = json.dumps(page)


def _level(app, pagename, templatename, context, doctree):
    """Sphinx marks the captions of the sidebar as headings without a level; give them one."""
    tree = context.get("furo_navigation_tree", "")
    levelled = tree.replace('role="heading"', 'role="heading" aria-level="2"')
    context["furo_navigation_tree"] = levelled


def setup(app):
    """Called by Sphinx."""
    app.add_config_value("deeplab_repository", "", "env")
    app.connect("source-read", _read)
    app.connect("html-page-context", _level, priority=900)  # after the theme
    return {"parallel_read_safe": True, "parallel_write_safe": True}
