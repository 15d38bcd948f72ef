"""One noun, one file name, in every room that is cut by noun."""

import pytest

from service.storage.queries import SQL_DIR
from tests.conftest import ROOT

SERVICE = ROOT / "service"
NOUNS = {
    "artifacts",
    "dpm_runs",
    "idempotency",
    "lineage",
    "operations",
    "parity",
    "policy_packs",
    "proposal_simulations",
    "proposals",
    "purges",
    "supportability",
    "workflow_decisions",
}

# What is served and joins several nouns.
JOINING = {"proposal_operations", "proposal_support", "replays", "support_bundles"}
SERVED = {
    "flows": NOUNS | JOINING,
    # Purges are run by the service itself, and nobody asks for them.
    "web/handlers": NOUNS - {"purges"} | JOINING,
}

SQL = {
    "idempotent_answers": "the answers that reviews and analyses with a key share",
    "catalog": "the tables as the database itself describes them",
    "migrations": "the books of the migration runner, in both dialects",
}
ADAPTERS = {
    "memory": {
        "__init__": "makes the folder a package",
        "collector": "keeps rows out of the garbage collector's sight",
        "histories": "the rows of what is told of one thing, behind a cursor",
        "limits": "how much is kept, and what goes first",
        "idempotent_answers": "the answers that reviews and analyses with a key share",
        "operation_lists": "which operations a list or a look-up finds",
        "operation_moves": "how operations move on with what came of them, and where they stand meanwhile",
        "operation_sweeps": "the operations nobody holds or comes for",
        "shelves": "places in order, filed under what they are found by",
        "state": "the tables the nouns share",
        "store": "puts the nouns together",
    },
    "sqlite": {
        "__init__": "makes the folder a package",
        "connection": "one connection and its thread; where transactions begin",
        "database": "the connections of one file",
        "faults": "what the driver raises, told apart",
        "idempotent_answers": "the answers that reviews and analyses with a key share",
        "operation_acts": "what is written about one operation",
        "operation_lists": "which operations a list or a look-up finds",
        "operation_rows": "how operations lie in their rows",
        "operation_sweeps": "the operations nobody holds or comes for",
        "probing": "whether a file would take a write",
        "proposal_rows": "how proposals lie in their rows",
        "run_rows": "how runs and requests lie in their rows",
        "statements": "runs a named query",
        "store": "puts the nouns together",
        "writer": "shares a commit among the acts that wait",
    },
    "postgres": {
        "__init__": "makes the folder a package",
        "addresses": "which of several servers takes writes",
        "database": "the pool and its connections",
        "faults": "what the driver raises, told apart",
        "idempotent_answers": "the answers that reviews and analyses with a key share",
        "job_offers": "what is said to the engine of the queue",
        "job_queue": "the queue that wakes workers up; a file and a memory have no workers",
        "job_sessions": "answers what the queue offers, session by session",
        "operation_acts": "what is written about one operation",
        "operation_lists": "which operations a list or a look-up finds",
        "operation_rows": "how operations lie in their rows",
        "operation_sweeps": "the operations nobody holds or comes for",
        "proposal_rows": "how proposals lie in their rows",
        "run_rows": "how runs and requests lie in their rows",
        "statements": "runs a named query",
        "store": "puts the nouns together",
    },
}


def stems_in(folder):
    return {path.stem for path in folder.iterdir() if path.is_file()}


def folders_in(folder):
    return {path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"}


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
def test_an_adapter_holds_each_noun_and_what_is_named_here(adapter):
    assert stems_in(SERVICE / "storage" / adapter) == NOUNS | ADAPTERS[adapter].keys()


@pytest.mark.parametrize("dialect", ["postgres", "sqlite"])
def test_a_dialect_holds_each_noun_and_what_is_named_here(dialect):
    assert stems_in(SQL_DIR / dialect) == NOUNS | SQL.keys()


def test_no_adapter_and_no_dialect_stands_outside_these_rules():
    # A shadow keeps nothing itself: it stands before two stores of any kind.
    assert folders_in(SERVICE / "storage") == ADAPTERS.keys() | {"shadow"}
    assert {path.name for path in SQL_DIR.iterdir()} == {"postgres", "sqlite"}


def test_each_noun_has_its_values():
    assert stems_in(SERVICE / "domains") >= NOUNS


@pytest.mark.parametrize("room", sorted(SERVED))
def test_each_noun_that_is_served_has_its_flow_and_its_handlers(room):
    assert stems_in(SERVICE / room) >= SERVED[room]
