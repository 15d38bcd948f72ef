"""The modules of the service, read and parsed once for all that look at them."""

import ast
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

MODULES = tuple(sorted((ROOT / "service").rglob("*.py")))


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    """What a module is made of; it is shared, and nobody changes it."""
    return ast.parse(text_of(path))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Every part of a module, as a walk over it meets them."""
    return tuple(ast.walk(tree_of(path)))
