"""The databases of the servers under test, as somebody sees them who goes past the servers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from scripts.harness.postgres import Postgres

Rows = list[tuple[Any, ...]]
Ask = Callable[[str], Rows]


class Database(Protocol):
    @property
    def variables(self) -> dict[str, str]:
        """What tells a server to keep its runs here."""
        ...

    def snapshot(self) -> Any:
        """Context in which all questions are answered as of one instant."""
        ...


@dataclass(frozen=True, slots=True)
class SqliteFile:
    path: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"DPM_SUPPORTABILITY_STORE_BACKEND": "SQL", "DPM_SUPPORTABILITY_SQL_PATH": str(self.path)}

    @contextmanager
    def snapshot(self) -> Iterator[Ask]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as conn:
            assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            conn.execute("BEGIN")
            yield lambda question: conn.execute(question).fetchall()


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    dsn: str

    @property
    def variables(self) -> dict[str, str]:
        return {"DPM_SUPPORTABILITY_STORE_BACKEND": "POSTGRES", "DPM_SUPPORTABILITY_POSTGRES_DSN": self.dsn}

    @contextmanager
    def snapshot(self) -> Iterator[Ask]:
        with psycopg.connect(self.dsn) as conn:
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield lambda question: conn.execute(question, binary=True).fetchall()


# What is counted of runs, and what is to be counted.
TALLIES = (
    "SELECT value, sum(counted) FROM ("
    " SELECT subject, value, total AS counted FROM dpm_tallies"
    " UNION ALL SELECT subject, value, change FROM dpm_tally_changes"
    ") AS counts WHERE subject = 'RUN_STATUS' GROUP BY value HAVING sum(counted) > 0"
)
RUNS_BY_STATUS = "SELECT status, count(*) FROM dpm_runs GROUP BY status"

# What is written beside every run, and the runs it must be the trace of, no more and no fewer. A key is in
# the second of them only once, so no two runs have one key.
TRACES = {
    "SELECT request_id, request_hash FROM dpm_run_requests": (
        "SELECT rebalance_run_id, request_hash FROM dpm_runs"
    ),
    "SELECT idempotency_key, rebalance_run_id, request_hash FROM dpm_run_idempotency": (
        "SELECT idempotency_key, rebalance_run_id, request_hash FROM dpm_runs"
    ),
    "SELECT idempotency_key, rebalance_run_id, correlation_id FROM dpm_run_idempotency_history": (
        "SELECT idempotency_key, rebalance_run_id, correlation_id FROM dpm_runs"
    ),
    "SELECT source_entity_id, edge_type, target_entity_id FROM dpm_lineage_edges": (
        "SELECT correlation_id, 'CORRELATION_TO_RUN', rebalance_run_id FROM dpm_runs "
        "UNION ALL SELECT idempotency_key, 'IDEMPOTENCY_TO_RUN', rebalance_run_id FROM dpm_runs"
    ),
    TALLIES: RUNS_BY_STATUS,
}


@contextmanager
def away(postgres: Postgres) -> Iterator[None]:
    """Ends the database as a crash does; it is there again afterwards."""
    postgres.stop_immediately()
    try:
        yield
    finally:
        postgres.restart()


def require_whole(database: Database) -> None:
    """Every simulated run is there with all that is recorded of it, once, and nothing is without its run."""
    with database.snapshot() as ask:
        for trace, runs in TRACES.items():
            assert sorted(ask(trace)) == sorted(ask(runs)), trace


def require_kept(database: Database, answered: Mapping[str, bytes]) -> None:
    """The run that each key stands for is what its caller was answered, to the byte."""
    with database.snapshot() as ask:
        kept = ask(
            "SELECT idempotency_key, result FROM dpm_run_idempotency "
            "JOIN dpm_runs USING (tenant_id, rebalance_run_id, idempotency_key)"
        )
    results = {key: bytes(result) for key, result in kept}
    assert [key for key, result in answered.items() if results.get(key) != result] == []


def count_of(database: Database, table: str) -> int:
    with database.snapshot() as ask:
        return int(ask(f"SELECT count(*) FROM {table}")[0][0])
