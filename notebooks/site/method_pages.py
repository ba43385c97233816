"""Pages about the method, made from the docstrings of its 17 files without importing them.

`deeplab/__init__.py` lists the files in reading order; a page of the site is made for each room
of them. Only the source is parsed, so that the site needs no torch.
"""

import ast
import re
from pathlib import Path

ROOMS = {"model": "Model", "data": "Data", "training": "Training", "evaluation": "Evaluation"}
LISTED = re.compile(r"^(\w+)/(\w+)  +(.+)$", re.M)
PROMPT = re.compile(r"^>>> ", re.M)


def pages(package):
    """File name to Markdown: an index and a page per room, for the package at `package`."""
    listed = LISTED.findall(ast.get_docstring(_parsed(package / "__init__.py")))
    index = ["# The method, file by file\n",
             "Seventeen files hold the method and nothing else. This is the order to read them in; "
             "the descriptions are the files' own docstrings.\n", "```{toctree}\n:hidden:\n"]
    index += [*(room for room in ROOMS), "```\n", "| file | what it is |", "|:--|:--|"]
    made = {}
    for room, title in ROOMS.items():
        parts = [f"# {title}\n"]
        for found, module, words in listed:
            if found == room:
                index.append(f"| [{room}/{module}]({room}.md#deeplab-{room}-{module}) | {words} |")
                file = package / room / f"{module}.py"
                parts.append(module_page(file, f"deeplab.{room}.{module}"))
        made[f"{room}.md"] = "\n".join(parts)
    return {"index.md": "\n".join(index) + "\n", **made}


def module_page(path, name):
    """The Markdown of one module: its docstring, its public functions and classes."""
    tree = _parsed(path)
    parts = [f"(deeplab-{name.split('.')[1]}-{name.split('.')[2]})=\n## {name}\n",
             f"```{{py:module}} {name}\n```\n", text(ast.get_docstring(tree))]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            parts.append(function(node, "function"))
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            parts.append(described_class(node))
    return "\n".join(parts)


def described_class(node):
    """A class with its fields and its public methods."""
    init = next((one for one in node.body if getattr(one, "name", "") == "__init__"), None)
    signature = f"{node.name}{_parameters(init, skip=1) if init else ''}"
    fields = [f"- `{ast.unparse(one)}`" for one in node.body
              if isinstance(one, ast.AnnAssign) and not one.target.id.startswith("_")]
    inner = [text(ast.get_docstring(node)), "\n".join(fields) + "\n" if fields else ""]
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and (not one.name.startswith("_")
                                                 or one.name == "__call__"):
            kind = "property" if _is_property(one) else "method"
            inner.append(function(one, kind, skip=0 if _is_static(one) else 1, fence=4))
    return _directive("class", signature, "\n".join(part for part in inner if part), fence=5)


def function(node, kind, *, skip=0, fence=4):
    """A function, method or property with its signature and docstring."""
    signature = node.name
    if kind != "property":
        signature += _parameters(node, skip=skip)
        if node.returns:
            signature += f" -> {ast.unparse(node.returns)}"
    return _directive(kind, signature, text(ast.get_docstring(node)), fence=fence)


def text(docstring):
    """A docstring as Markdown: examples as code, and no sign that Markdown would take for its own.

    >>> text("Rates (N, *) of `conv`.")
    'Rates (N, \\\\*) of `conv`.\\n'
    """
    blocks = []
    for block in (docstring or "").split("\n\n"):
        if PROMPT.match(block):
            blocks.append(f"```pycon\n{block}\n```")
        elif block.startswith("    "):
            blocks.append("```text\n" + re.sub(r"^    ", "", block, flags=re.M) + "\n```")
        else:
            parts = re.split(r"(`[^`]*`)", block.replace("::\n", ":\n").replace("``", "`"))
            blocks.append("".join(part if part.startswith("`")
                                  else re.sub(r"([*_<>$\[\]{}])", r"\\\1", part)
                                  for part in parts).removesuffix("::"))
    return "\n\n".join(blocks) + "\n" if docstring else ""


def _directive(kind, signature, body, *, fence):
    marks = "`" * fence
    return f"{marks}{{py:{kind}}} {signature}\n\n{body}{marks}\n"


def _parameters(node, *, skip):
    """The parameter list in brackets, without its first `skip`."""
    arguments = ast.parse(ast.unparse(node)).body[0].args  # a copy
    for group in (arguments.posonlyargs, arguments.args):
        while skip and group:
            group.pop(0)
            skip -= 1
    return f"({ast.unparse(arguments)})"


def _is_property(node):
    return any(ast.unparse(one).rpartition(".")[2] in ("property", "cached_property")
               for one in node.decorator_list)


def _is_static(node):
    return any(ast.unparse(one) == "staticmethod" for one in node.decorator_list)


def _parsed(path):
    return ast.parse(Path(path).read_text(encoding="utf-8"))
