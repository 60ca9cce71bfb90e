"""Python blocks of a page, run as a script.

`expression  # -> text` states what the expression is: its repr, or for `print` what is printed.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CLAIM = re.compile(r"#\s*->\s*(.*\S)\s*$")


def run_page(page: Path) -> int:
    """Runs the blocks of a page one after the other, as one script; returns how many claims held.

    Raises AssertionError, with the page and the line, for a claim that does not hold.
    """
    text = page.read_text()
    checked = _Checker(page)
    namespace: dict[str, Any] = {"__name__": page.stem, "_claim": checked.claim}
    for block in _BLOCK.finditer(text):
        # Empty lines in front, so that line numbers are those of the page.
        source = "\n" * text.count("\n", 0, block.start(1)) + block[1]
        tree = _Claims(source.split("\n")).visit(ast.parse(source, str(page)))
        exec(compile(ast.fix_missing_locations(tree), str(page), "exec"), namespace)
    return checked.count


class _Checker:
    def __init__(self, page: Path) -> None:
        self.count = 0
        self._page = page

    def claim(self, value: object, wanted: str, line: int) -> None:
        found = value if isinstance(value, _Printed) else repr(value)
        assert found == wanted, f"{self._page}:{line}: the page has {wanted}, it is {found}"
        self.count += 1


class _Printed(str):
    @classmethod
    def of(cls, *values: object) -> _Printed:
        return cls(" ".join(map(str, values)))


class _Claims(ast.NodeTransformer):
    """Turns each statement with a claim into a call of `_claim`."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        assert node.end_lineno is not None
        claim = _CLAIM.search(self._lines[node.end_lineno - 1])
        if claim is None:
            return node
        value = node.value
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "print":
            printed = ast.parse("_claim.__globals__['_Printed'].of", mode="eval").body
            value = ast.Call(printed, value.args, value.keywords)
        arguments = [value, ast.Constant(claim[1]), ast.Constant(node.lineno)]
        call = ast.Call(ast.Name("_claim", ast.Load()), arguments, [])
        return ast.copy_location(ast.Expr(call), node)
