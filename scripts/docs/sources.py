"""The modules of the service as syntax trees, for what is found without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "service"


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted(SERVICE.rglob("*.py")))


def calls_in(path: Path) -> Iterator[ast.Call]:
    """Every call in a module, from its first line to its last."""
    found = (node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call))
    return iter(sorted(found, key=lambda call: (call.lineno, call.col_offset)))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module_at(path: Path) -> ModuleType:
    """The module of a file, imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))


def texts_in(node: ast.AST | None) -> tuple[str, ...]:
    """The text of a constant, or both texts of a choice between two; nothing else."""
    match node:
        case ast.Constant(value=str(text)):
            return (text,)
        case ast.IfExp(body=first, orelse=second):
            return (*texts_in(first), *texts_in(second))
        case _:
            return ()
