"""Every flow knows its caller, and no module but one names the tenant that is there without identity."""

import ast

import pytest

from tests.conftest import ROOT
from tests.unit.tidy.sources import MODULES, nodes_of, tree_of

FLOWS = ROOT / "service" / "flows"
CALLERS = ROOT / "service" / "domains" / "callers.py"

# Classes of flows that serve a whole process, or one accepted operation that says whose it is.
WITHOUT = {
    "AnalysisWork": "takes the caller from the stored operation",
    "AttemptRunner": "runs attempts by their claims, which name the tenant",
    "HealthFlow": "tells of the process",
    "JobHandler": "takes the tenant from the job",
    "ProposalWork": "takes the caller from the stored operation",
}
# What a flow does for itself.
OWN = {"close"}


def is_flow(node):
    return node.name.endswith("Flow") or node.name in {"ProposalReads", "Reaper", "OperationGauges", *WITHOUT}


FLOW_CLASSES = [
    (path, node)
    for path in MODULES
    if FLOWS in path.parents
    for node in tree_of(path).body
    if isinstance(node, ast.ClassDef) and is_flow(node)
]


def test_one_module_names_the_default_tenant():
    named = {
        path
        for path in MODULES
        for node in nodes_of(path)
        if (isinstance(node, ast.Name) and node.id == "DEFAULT_TENANT")
        or (isinstance(node, ast.alias) and node.name == "DEFAULT_TENANT")
    }
    assert named == {CALLERS}


def test_the_table_of_classes_without_a_caller_has_no_name_too_many():
    assert WITHOUT.keys() <= {node.name for _, node in FLOW_CLASSES}


@pytest.mark.parametrize(
    "flow", [node for _, node in FLOW_CLASSES if node.name not in WITHOUT], ids=lambda node: node.name
)
def test_the_first_argument_of_every_method_of_a_flow_is_its_caller(flow):
    methods = [
        one
        for one in flow.body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
        and not one.name.startswith("_")
        and one.name not in OWN
    ]
    first = {one.name: [ast.unparse(arg) for arg in one.args.args[1:2]] for one in methods}

    assert methods
    assert first == {one.name: ["caller: Caller"] for one in methods}
