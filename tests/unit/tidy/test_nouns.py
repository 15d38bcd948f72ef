"""One noun, one file or folder of that name, in every room that is cut by noun; a dozen entries a room."""

import pytest

from service.storage.queries import SQL_DIR
from tests.conftest import ROOT

SERVICE = ROOT / "service"
ENTRIES_MAX = 12

NOUNS = {
    "dpm_runs",
    "idempotency",
    "lineage",
    "operations",
    "policy_packs",
    "proposals",
    "retention",
    "shadow_differences",
    "workflow_decisions",
}

# Rooms that hold every noun, but for those that have no part there.
ROOMS = {
    "domains": NOUNS,
    "errors": NOUNS - {"retention", "shadow_differences"},
    "flows": NOUNS,
    "storage/memory": NOUNS,
    "storage/ports": NOUNS,
    # What a store does for these nouns is written once, and performed by both dialects.
    "storage/sql": NOUNS,
    # The service itself deletes what has expired; it is no request of a caller.
    "web/handlers": NOUNS - {"retention"},
}

# What a dialect holds beside the nouns.
SQL = {
    "artifacts": "the artifacts of runs",
    "catalog": "the tables as the database itself describes them",
    "idempotent_answers": "the answers that reviews and analyses with a key share",
    "migrations": "the history of the migration runner, in both dialects",
    "proposal_simulations": "the simulations of proposals under a key",
    "supportability": "the counts of runs and operations",
}


def entries_in(folder):
    return {
        path.stem if path.suffix == ".py" else path.name
        for path in folder.iterdir()
        if path.name not in {"__init__.py", "__pycache__"}
    }


def rooms():
    return sorted(
        str(path.parent.relative_to(SERVICE))
        for path in SERVICE.rglob("__init__.py")
        if path.parent != SERVICE
    )


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_holds_each_noun_as_a_file_or_a_folder(room):
    assert entries_in(SERVICE / room) >= ROOMS[room]


@pytest.mark.parametrize("room", rooms())
def test_a_room_has_at_most_a_dozen_entries(room):
    assert len(entries_in(SERVICE / room)) <= ENTRIES_MAX


@pytest.mark.parametrize("dialect", ["postgres", "sqlite"])
def test_a_dialect_holds_each_noun_and_what_is_named_here(dialect):
    assert {path.stem for path in (SQL_DIR / dialect).iterdir()} == NOUNS | SQL.keys()


def test_there_are_two_dialects_and_no_third():
    assert {path.name for path in SQL_DIR.iterdir()} == {"postgres", "sqlite"}


def test_nothing_lies_loose_in_the_service():
    loose = {path.name for path in SERVICE.iterdir() if path.is_file()}
    assert loose == {"__init__.py", "__main__.py"}
