"""One table of operations: every handler, feature flag and query is named by a row, and by nothing else."""

import ast
import inspect
from dataclasses import replace
from operator import attrgetter

from service.settings.process import read
from service.web.feature_flags import FeatureFlags, Flag
from service.web.operations.table import OPERATIONS, ROUTES, WITHOUT_STORE, literal_first
from service.wiring.flows import gates_of
from tests.conftest import ROOT
from tests.unit.tidy.sources import MODULES, nodes_of, tree_of

HANDLERS = ROOT / "service" / "web" / "handlers"
# Pages and files of the document, which are no operations of the API.
PAGES = {"show", "show_asset", "move"}


def test_every_handler_has_its_row():
    written = {
        f"{path.stem}.{node.name}"
        for path in MODULES
        if HANDLERS in path.parents
        for node in tree_of(path).body
        if isinstance(node, ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and len(node.args.args) == 1
        and not node.args.kwonlyargs
        and node.name not in PAGES
    }
    named = {
        f"{inspect.getmodule(one.handler).__name__.rpartition('.')[2]}.{one.handler.__name__}"
        for one in OPERATIONS
    }
    assert written == named


def test_no_two_rows_are_of_one_method_and_path():
    served = [(one.method, one.path) for one in OPERATIONS]
    assert len(served) == len(set(served)) == len(ROUTES) - len(PAGES)


def test_every_flag_is_checked_by_a_row_and_raises_what_the_row_tells():
    assert {flag for one in OPERATIONS for flag in one.flags} == set(Flag)
    for one in OPERATIONS:
        assert {flag.value[1] for flag in one.flags} <= set(one.refusals), one.path


def test_every_flag_is_a_field():
    assert {flag.value[0] for flag in Flag} == set(FeatureFlags.__dataclass_fields__)


def test_every_flag_is_as_its_setting_says():
    settings = read()
    assert gates_of(settings) == FeatureFlags(
        **{flag.value[0]: attrgetter(flag.value[2])(settings) for flag in Flag}
    )
    for flag in Flag:
        *within, name = flag.value[2].split(".")
        part = replace(attrgetter(within[0])(settings), **{name: True}) if within else None
        on = replace(settings, **({within[0]: part} if within else {name: True}))
        assert getattr(gates_of(on), flag.value[0]) is True, flag


def test_no_handler_names_a_flag():
    named = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        if HANDLERS in path.parents
        for node in nodes_of(path)
        if isinstance(node, ast.Name) and node.id in {"Flag", "FeatureFlags"}
    ]
    assert named == []


def test_a_path_is_served_without_a_store_in_all_its_methods_or_in_none():
    assert not WITHOUT_STORE & {one.path for one in OPERATIONS if one.needs_store}


def test_a_literal_goes_before_a_parameter():
    paths = ["/a/{id}", "/a/b", "/{x}/b", "/a/b/{y}", "/a/{id}/c"]
    assert sorted(paths, key=literal_first) == ["/a/b", "/a/b/{y}", "/a/{id}", "/a/{id}/c", "/{x}/b"]
