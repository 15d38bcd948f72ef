"""Functions and modules a reader can hold in one look."""

import ast

import pytest

from tests.conftest import ROOT

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 300

MODULES = sorted((ROOT / "service").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_no_longer_than_a_reader_can_hold(path):
    name = str(path.relative_to(ROOT))
    source = path.read_text(encoding="utf-8")

    assert len(source.splitlines()) <= MODULE_LINES_MAX
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{name}: {node.name} has {length} lines"
