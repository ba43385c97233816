"""Source code reduced to what it does, for hashes that better wording must not change."""

import ast
import functools

ERRORS = ("Error", "Stopped")  # how the names of this package's exceptions end
CHECKS = ("check", "refuse")  # how the names of functions begin that do nothing but raise


@functools.lru_cache(maxsize=256)
def without_words(source: str) -> str:
    """Python source as parsed, without comments, docstrings, layout and the texts of errors.

    Of a `raise` only that it is there remains, and no string of a function that makes an error,
    of one called `check...` or `refuse...`, or of its call; the conditions remain.

    >>> without_words('x = 1  # one') == without_words('x=1')
    True
    >>> without_words('raise ValueError("no")') == without_words('raise ValueError("never")')
    True
    """
    return ast.dump(_Reduced().visit(ast.parse(source)))


class _Reduced(ast.NodeTransformer):
    """Takes docstrings and the texts of errors out of a tree."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and (
                ast.get_docstring(node, clean=False) is not None):
            del node.body[0]
        return super().generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        if node.returns is not None and ast.unparse(node.returns).endswith(ERRORS):
            node.body = []
        return self.generic_visit(_Silent().visit(node) if _checks(node.name) else node)

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        return ast.Raise()

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_check = isinstance(node.value, ast.Call) and _checks(ast.unparse(node.value.func))
        return _Silent().visit(node) if is_check else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        is_error = (isinstance(node.func, ast.Attribute) and node.func.attr == "of"
                    and ast.unparse(node.func.value).endswith(ERRORS))
        return ast.Call(node.func, [], []) if is_error else self.generic_visit(node)


class _Silent(ast.NodeTransformer):
    """Takes every string out of a tree."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant(None) if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.Constant:
        return ast.Constant(None)


def _checks(name: str) -> bool:
    """Whether a function of this dotted name only checks, by the manner of this package."""
    return name.rpartition(".")[2].lstrip("_").startswith(CHECKS)
