"""Which names of a notebook are parameters that somebody gave it.

A kernel knows many names: those of its start-up files, and in a second "Run All" those of every
later cell. Parameters are what the cell tagged `parameters` binds, and the cell that papermill
puts after it.
"""

import ast
from collections.abc import Collection, Sequence
from typing import Any

INJECTED = "# Parameters"  # the first line of the cell in which papermill passes parameters


def given_values(names: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    """The parameters among a notebook's `globals()`, by name.

    Those of the `known` names that a cell has bound, and names that nobody knows, to be
    refused: those that stand in the last cell of parameters or in a cell that papermill
    injected after it. Outside IPython, which keeps the cells as `In`: the known names.
    """
    cells = names.get("In")
    if not isinstance(cells, list):
        return {name: names[name] for name in known if name in names}
    bound_by = [_bound_names(cell) for cell in cells]
    given = set(known) & set().union(*bound_by) | _last_given(cells, bound_by, known)
    return {name: names[name] for name in given if name in names}


def _last_given(cells: Sequence[str], bound_by: Sequence[set[str]],
                known: Collection[str]) -> set[str]:
    """The names bound by the last cell of parameters and by what papermill injected after it."""
    found: set[str] = set()
    for cell, bound in zip(reversed(cells), reversed(bound_by)):
        is_injected = cell.startswith(INJECTED)
        if is_injected or bound & set(known):
            found |= bound
        if found and not is_injected:
            break
    return found


def _bound_names(cell: str) -> set[str]:
    """The names that a cell assigns to at its top level; none if it is not Python."""
    try:
        body = ast.parse(cell).body
    except (SyntaxError, ValueError):
        return set()
    targets = [target for node in body if isinstance(node, (ast.Assign, ast.AnnAssign))
               for target in (node.targets if isinstance(node, ast.Assign) else [node.target])]
    return {leaf.id for target in targets for leaf in ast.walk(target)
            if isinstance(leaf, ast.Name) and isinstance(leaf.ctx, ast.Store)}
