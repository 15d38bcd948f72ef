"""Fills a PostgreSQL store with any number of runs and all that belongs to them, by COPY."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

TENANT = "default"
BEGAN_AT = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
STATUSES = ("READY",) * 7 + ("PENDING_REVIEW",) * 2 + ("BLOCKED",)
ACTIONS = ("APPROVE", "REJECT", "REQUEST_CHANGES")
# Few enough that a million runs fill a hundred pages of fifty under each filter.
PORTFOLIOS = 150
ACTORS = 10
REASONS = 10
# Every so many runs one shares its correlation id with all others like it, one is reviewed, and so on.
SHARED_CORRELATION_EVERY = 50
REVIEWED_EVERY = 10
REPEATED_REQUEST_EVERY = 50
KEPT_ARTIFACT_EVERY = 20
OPERATION_EVERY = 20
PURGE_EVERY = 10
ROWS_AT_ONCE = 20_000
RESULT_BYTES = 1024
BODY_BYTES = 1024
SHARED_CORRELATION = "corr_shared"
REPEATED_HASH = "sha256:" + "d" * 64

RUN_COLUMNS = [
    "tenant_id",
    "rebalance_run_id",
    "request_id",
    "correlation_id",
    "idempotency_key",
    "request_hash",
    "portfolio_id",
    "status",
    "engine_version",
    "scenario",
    "created_at",
    "result_sha256",
    "result",
]
REQUEST_COLUMNS = [
    "tenant_id",
    "request_id",
    "request_hash",
    "created_at",
    "correlation_id",
    "body_sha256",
    "body",
]
KEY_COLUMNS = ["tenant_id", "family", "idempotency_key", "request_hash", "rebalance_run_id", "created_at"]
USE_COLUMNS = [
    "tenant_id",
    "family",
    "idempotency_key",
    "rebalance_run_id",
    "correlation_id",
    "request_hash",
    "created_at",
]
EDGE_COLUMNS = [
    "tenant_id",
    "source_entity_id",
    "edge_type",
    "target_entity_id",
    "created_at",
    "metadata",
    "lives_with",
]
DECISION_COLUMNS = [
    "tenant_id",
    "rebalance_run_id",
    "decision_no",
    "decision_id",
    "action",
    "reason_code",
    "comment",
    "actor_id",
    "decided_at",
    "correlation_id",
    "run_created_at",
]


ARTIFACT_COLUMNS = ["tenant_id", "rebalance_run_id", "artifact_id", "artifact_hash", "created_at", "body"]
OPERATION_COLUMNS = [
    "tenant_id",
    "operation_id",
    "operation_type",
    "status",
    "correlation_id",
    "created_at",
    "started_at",
    "finished_at",
    "request_sha256",
    "request",
    "result",
]
PURGE_COLUMNS = [
    "tenant_id",
    "purge_id",
    "purged_at",
    "runs_before",
    "operations_before",
    "runs",
    "requests",
    "artifacts",
    "decisions",
    "keys",
    "uses",
    "edges",
    "operations",
]


@dataclass(frozen=True, slots=True)
class Seed:
    """The n-th seeded run; every value follows from n."""

    number: int
    created_at: datetime

    @property
    def run_id(self) -> str:
        return f"rr_{self.number:032x}"

    @property
    def key(self) -> str:
        return f"seed-{self.number}"

    @property
    def correlation_id(self) -> str:
        shared = self.number % SHARED_CORRELATION_EVERY == 0
        return SHARED_CORRELATION if shared else f"corr_{self.number:032x}"

    @property
    def request_hash(self) -> str:
        repeated = self.number % REPEATED_REQUEST_EVERY == 1
        return REPEATED_HASH if repeated else f"sha256:{self.number:064x}"

    @property
    def portfolio_id(self) -> str:
        return f"pf_{self.number * 7919 % PORTFOLIOS:04d}"

    @property
    def status(self) -> str:
        return STATUSES[self.number * 31 % len(STATUSES)]

    @property
    def is_reviewed(self) -> bool:
        return self.number % REVIEWED_EVERY == 0


async def seed_runs(
    dsn: str, count: int, *, first: int = 0, began_at: datetime = BEGAN_AT, every: timedelta | None = None
) -> None:
    """Writes runs `first` to `first + count`, one a second, or one in each `every`."""
    step = every or timedelta(seconds=1)
    conn = await asyncpg.connect(dsn)
    try:
        for start in range(first, first + count, ROWS_AT_ONCE):
            numbers = range(start, min(start + ROWS_AT_ONCE, first + count))
            seeds = [Seed(number, began_at + number * step) for number in numbers]
            async with conn.transaction():
                for table, columns, rows in tables_of(seeds):
                    await conn.copy_records_to_table(table, columns=columns, records=rows)
    finally:
        await conn.close()


async def settle(dsn: str) -> None:
    """What a database does by itself in time: statistics, and tallies added up."""
    conn = await asyncpg.connect(dsn)
    try:
        await conn.execute("VACUUM (ANALYZE)")
    finally:
        await conn.close()


def tables_of(seeds: list[Seed]) -> Iterator[tuple[str, list[str], Iterable[tuple[Any, ...]]]]:
    """Every table of a run in the order in which rows may refer to each other."""
    yield "dpm_run_requests", REQUEST_COLUMNS, (request_row(seed) for seed in seeds)
    yield "dpm_runs", RUN_COLUMNS, (run_row(seed) for seed in seeds)
    yield "dpm_run_idempotency", KEY_COLUMNS, (key_row(seed) for seed in seeds)
    yield "dpm_run_idempotency_history", USE_COLUMNS, (use_row(seed) for seed in seeds)
    yield "dpm_lineage_edges", EDGE_COLUMNS, (row for seed in seeds for row in edge_rows(seed))
    yield (
        "dpm_workflow_decisions",
        DECISION_COLUMNS,
        (decision_row(seed) for seed in seeds if seed.is_reviewed),
    )
    yield (
        "dpm_run_artifacts",
        ARTIFACT_COLUMNS,
        (artifact_row(seed) for seed in seeds if seed.number % KEPT_ARTIFACT_EVERY == 0),
    )
    yield (
        "dpm_operations",
        OPERATION_COLUMNS,
        (operation_row(seed) for seed in seeds if seed.number % OPERATION_EVERY == 0),
    )
    yield (
        "dpm_purges",
        PURGE_COLUMNS,
        (purge_row(seed) for seed in seeds if seed.number % PURGE_EVERY == 0),
    )


def request_row(seed: Seed) -> tuple[Any, ...]:
    body = padded({"run": seed.number}, BODY_BYTES)
    return TENANT, seed.run_id, seed.request_hash, seed.created_at, None, digest(body), body


def run_row(seed: Seed) -> tuple[Any, ...]:
    # What an artifact repeats of a result, so that bundles of seeded runs can be read.
    parts: dict[str, Any] = {
        "rebalance_run_id": seed.run_id,
        "before": {},
        "intents": [],
        "after_simulated": {},
        "rule_results": [],
        "diagnostics": {},
        "lineage": {"engine_version": "1"},
    }
    result = padded(parts, RESULT_BYTES)
    return (
        TENANT, seed.run_id, seed.run_id, seed.correlation_id, seed.key, seed.request_hash, seed.portfolio_id,
        seed.status, "1", None, seed.created_at, digest(result), result,
    )  # fmt: skip


def key_row(seed: Seed) -> tuple[Any, ...]:
    return TENANT, "DPM_SIMULATE", seed.key, seed.request_hash, seed.run_id, seed.created_at


def use_row(seed: Seed) -> tuple[Any, ...]:
    return (
        TENANT, "DPM_SIMULATE", seed.key, seed.run_id, seed.correlation_id, seed.request_hash,
        seed.created_at,
    )  # fmt: skip


def edge_rows(seed: Seed) -> Iterator[tuple[Any, ...]]:
    metadata = json.dumps({"request_hash": seed.request_hash})
    for source, edge_type in (
        (seed.correlation_id, "CORRELATION_TO_RUN"),
        (seed.key, "IDEMPOTENCY_TO_RUN"),
    ):
        yield TENANT, source, edge_type, seed.run_id, seed.created_at, metadata, "RUN"


def decision_row(seed: Seed) -> tuple[Any, ...]:
    turn = seed.number // REVIEWED_EVERY
    return (
        TENANT, seed.run_id, 1, f"dwd_{seed.number:032x}", ACTIONS[turn % len(ACTIONS)],
        f"REASON_{turn % REASONS}", None, f"reviewer_{turn % ACTORS}", seed.created_at, "c_none",
        seed.created_at,
    )  # fmt: skip


def artifact_row(seed: Seed) -> tuple[Any, ...]:
    body = padded({"artifact": seed.number}, RESULT_BYTES)
    return TENANT, seed.run_id, f"dra_{seed.number:032x}", digest(body), seed.created_at, body


def operation_row(seed: Seed) -> tuple[Any, ...]:
    request, result = (padded({what: seed.number}, BODY_BYTES) for what in ("request", "result"))
    ended_at = seed.created_at + timedelta(seconds=1)
    return (
        TENANT, f"dop_{seed.number:032x}", "ANALYZE_SCENARIOS", "SUCCEEDED", f"analysis_{seed.number}",
        seed.created_at, seed.created_at, ended_at, digest(request), request, result,
    )  # fmt: skip


def purge_row(seed: Seed) -> tuple[Any, ...]:
    return TENANT, f"purge_{seed.number:032x}", seed.created_at, BEGAN_AT, BEGAN_AT, *([0] * 8)


def padded(document: dict[str, Any], size: int) -> bytes:
    """The document as JSON of about so many bytes, of text that compresses as little as real numbers do."""
    bare = len(json.dumps(document))
    filler = hashlib.shake_128(repr(document).encode()).hexdigest(max(0, size - bare) // 2)
    return json.dumps({**document, "filler": filler}).encode()


def digest(text: bytes) -> str:
    return "sha256:" + hashlib.sha256(text).hexdigest()
