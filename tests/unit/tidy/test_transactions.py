"""Where a transaction may begin, and how many a store method may ask for."""

import ast
import re

import pytest

from tests.conftest import ROOT
from tests.unit.tidy.sources import MODULES, nodes_of, tree_of

FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
LOOPS = ast.For | ast.AsyncFor | ast.While | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

BEGINNERS = {"transaction", "savepoint", "snapshot", "act", "commit", "rollback", "executescript"}
# What a store method hands an act to, or opens one with.
ACTS = {"write", "act"}
SPELLED = re.compile(r"\s*(?:BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b", re.IGNORECASE)
MAY_BEGIN = {
    "service/storage/postgres/database.py": "defines act and snapshot",
    "service/storage/sqlite/connection.py": "defines transaction, savepoint and snapshot",
    "service/storage/sqlite/group_commit.py": "gives each act its savepoint and each group its transaction",
}

SOURCES = {path.relative_to(ROOT).as_posix(): path for path in MODULES}
WITHOUT = sorted(SOURCES.keys() - MAY_BEGIN.keys())
STORAGE = [name for name in WITHOUT if name.startswith("service/storage/")]


def takes_conn(function):
    spec = function.args
    return any(arg.arg == "conn" for arg in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs])


def called(node):
    """The last name of what a call calls."""
    return getattr(node.func, "attr", None) or getattr(node.func, "id", None)


def beginnings(function):
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and (called(node) in BEGINNERS or spelled(node)):
            yield node.lineno


def spelled(call):
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    return any(isinstance(text, str) and SPELLED.match(text) for text in texts)


def acts_of(method, writing):
    """The calls of a method that write, by themselves or by way of another method of the class."""
    return [
        node
        for node in ast.walk(method)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (
            node.func.attr in ACTS
            or (node.func.attr in writing and getattr(node.func.value, "id", None) == "self")
        )
    ]


def breaches(tree):
    """The methods that hand over more than one act."""
    for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        methods = [node for node in kind.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        writing = {method.name for method in methods if acts_of(method, ())}
        for method in methods:
            repeated = [
                node
                for loop in ast.walk(method)
                if isinstance(loop, LOOPS)
                for node in acts_of(loop, writing)
            ]
            if repeated or len(acts_of(method, writing)) > 1:
                yield f"{kind.name}.{method.name}"


@pytest.mark.parametrize("name", WITHOUT)
def test_a_function_given_a_connection_begins_no_transaction(name):
    for function in nodes_of(SOURCES[name]):
        if isinstance(function, FUNCTIONS) and takes_conn(function):
            assert not list(beginnings(function)), getattr(function, "name", "a lambda")


@pytest.mark.parametrize("name", STORAGE)
def test_a_store_method_hands_over_at_most_one_act(name):
    assert not list(breaches(tree_of(SOURCES[name])))


@pytest.mark.parametrize("name", [name for name in STORAGE if name.startswith("service/storage/sql/")])
def test_what_is_written_once_for_both_dialects_begins_no_transaction(name):
    assert not list(beginnings(tree_of(SOURCES[name])))


def test_two_acts_in_one_method_would_be_seen():
    source = """
class Store:
    async def admit(self, run):
        await self.database.write(run)

    async def twice(self, run):
        await self.admit(run)
        await self.admit(run)

    async def many(self, runs):
        for run in runs:
            await self.database.write(run)

    async def opened_twice(self, run):
        async with self.database.act() as conn:
            await insert(conn, run)
        async with self.database.act() as conn:
            await insert(conn, run)
"""

    assert list(breaches(ast.parse(source))) == ["Store.twice", "Store.many", "Store.opened_twice"]


def test_a_transaction_begun_in_an_act_would_be_seen():
    source = """
def called(conn):
    with connection.transaction(conn):
        pass

def spelled(conn):
    conn.execute("BEGIN")

def kept(conn):
    conn.execute(query)
"""

    functions = ast.parse(source).body
    assert [bool(list(beginnings(function))) for function in functions] == [True, True, False]


def test_the_named_places_exist():
    assert MAY_BEGIN.keys() <= SOURCES.keys()
