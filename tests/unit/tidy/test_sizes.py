"""Functions and modules a reader can hold in one look."""

import ast

import pytest

from tests.conftest import ROOT
from tests.unit.tidy.sources import MODULES, nodes_of, text_of

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 300


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_no_longer_than_a_reader_can_hold(path):
    name = str(path.relative_to(ROOT))

    assert len(text_of(path).splitlines()) <= MODULE_LINES_MAX
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{name}: {node.name} has {length} lines"
