"""Every threshold of a check says where it comes from."""

from __future__ import annotations

import ast
from itertools import zip_longest
from pathlib import Path

import pytest

import sortal.checks

ROOM = Path(sortal.checks.__file__).parent


def is_numeric(value: ast.expr) -> bool:
    """A number, or arithmetic, a tuple or a dictionary of some; what a function makes of them is none."""
    if isinstance(value, ast.Call) and not ast.unparse(value.func).startswith("math."):
        return False
    return any(isinstance(node, ast.Constant) and type(node.value) in (int, float) for node in ast.walk(value))


@pytest.mark.parametrize("file", sorted(ROOM.rglob("*.py")), ids=lambda file: file.stem)
def test_each_number_says_where_it_comes_from(file: Path) -> None:
    body = ast.parse(file.read_text("utf-8")).body
    for node, after in zip_longest(body, body[1:]):
        if isinstance(node, ast.Assign) and is_numeric(node.value):
            assert isinstance(after, ast.Expr), f"{ast.unparse(node)} stands in {file.name} without its origin"
            assert isinstance(after.value, ast.Constant)
            assert isinstance(after.value.value, str)
