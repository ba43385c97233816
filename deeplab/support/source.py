"""Source code reduced to what it does, for hashes that better wording must not change."""

from __future__ import annotations

import ast
import functools


@functools.lru_cache(maxsize=256)
def without_words(source: str) -> str:
    """Python source as parsed, without comments, docstrings and layout.

    >>> without_words('x = 1  # one') == without_words('x=1')
    True
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            if ast.get_docstring(node, clean=False) is not None:
                del node.body[0]
    return ast.dump(tree)
