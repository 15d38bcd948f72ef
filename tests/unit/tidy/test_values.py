"""Flows answer values: how an answer is spelled is the business of the edge."""

import ast

import pytest

from tests.conftest import ROOT
from tests.unit.tidy.sources import MODULES, tree_of
from tests.unit.tidy.test_callers import FLOW_CLASSES

FLOWS = ROOT / "service" / "flows"


@pytest.mark.parametrize("flow", [node for _, node in FLOW_CLASSES], ids=lambda node: node.name)
def test_no_public_method_of_a_flow_answers_bytes(flow):
    answering = [
        one.name
        for one in flow.body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        and not one.name.startswith("_")
        and one.returns is not None
        and any(isinstance(part, ast.Name) and part.id == "bytes" for part in ast.walk(one.returns))
    ]
    assert answering == []


def test_no_flow_names_a_struct_of_the_published_answers():
    named = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        if FLOWS in path.parents
        for node in tree_of(path).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("service.web")
    ]
    assert named == []
