"""Fills a PostgreSQL store with any number of proposals, each with a version and an event, by COPY."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from scripts.bench.seeding import BEGAN_AT, ROWS_AT_ONCE, TENANT

# Few enough that a million proposals fill a hundred pages of fifty under each filter.
PORTFOLIOS = 150
ADVISERS = 150
STATES = ("DRAFT",) * 3 + ("RISK_REVIEW", "COMPLIANCE_REVIEW", "AWAITING_CLIENT_CONSENT", "EXECUTION_READY")
HASH = "sha256:" + "e" * 64
DOCUMENT = b"{}"

PROPOSAL_COLUMNS = [
    "tenant_id",
    "proposal_id",
    "portfolio_id",
    "title",
    "created_by",
    "created_at",
    "last_event_at",
    "state",
    "version_no",
    "version_status",
    "versioned_by",
    "revision",
]
VERSION_COLUMNS = [
    "tenant_id",
    "proposal_id",
    "version_no",
    "proposal_version_id",
    "created_by",
    "created_at",
    "status_at_creation",
    "request_hash",
    "simulation_hash",
    "artifact_hash",
    "artifact_id",
    "request",
    "result",
    "artifact",
    "evidence",
]
EVENT_COLUMNS = [
    "tenant_id",
    "proposal_id",
    "event_no",
    "event_id",
    "event_type",
    "to_state",
    "actor_id",
    "occurred_at",
    "reason",
]


@dataclass(frozen=True, slots=True)
class ProposalSeed:
    """The n-th seeded proposal; every value follows from n."""

    number: int

    @property
    def proposal_id(self) -> str:
        return f"pp_{self.number:032x}"

    @property
    def created_at(self) -> datetime:
        return BEGAN_AT + timedelta(seconds=self.number)

    @property
    def portfolio_id(self) -> str:
        return f"pf_{self.number * 7919 % PORTFOLIOS:04d}"

    @property
    def created_by(self) -> str:
        return f"advisor_{self.number * 6007 % ADVISERS:04d}"

    @property
    def state(self) -> str:
        return STATES[self.number * 31 % len(STATES)]


async def seed_proposals(dsn: str, count: int) -> None:
    """Writes proposals 0 to `count`, one a second; each stands where its only event left it."""
    conn = await asyncpg.connect(dsn)
    try:
        for start in range(0, count, ROWS_AT_ONCE):
            seeds = [ProposalSeed(number) for number in range(start, min(start + ROWS_AT_ONCE, count))]
            # What a proposal refers to comes after it and is looked for at commit.
            async with conn.transaction():
                for table, columns, rows in tables_of(seeds):
                    await conn.copy_records_to_table(table, columns=columns, records=rows)
    finally:
        await conn.close()


def tables_of(seeds: list[ProposalSeed]) -> Iterator[tuple[str, list[str], Iterator[tuple[Any, ...]]]]:
    yield "proposals", PROPOSAL_COLUMNS, (proposal_row(seed) for seed in seeds)
    yield "proposal_versions", VERSION_COLUMNS, (version_row(seed) for seed in seeds)
    yield "proposal_events", EVENT_COLUMNS, (event_row(seed) for seed in seeds)


def proposal_row(seed: ProposalSeed) -> tuple[Any, ...]:
    return (
        TENANT, seed.proposal_id, seed.portfolio_id, f"Switch {seed.number}", seed.created_by,
        seed.created_at, seed.created_at, seed.state, 1, "READY", seed.created_by, 1,
    )  # fmt: skip


def version_row(seed: ProposalSeed) -> tuple[Any, ...]:
    return (
        TENANT, seed.proposal_id, 1, f"ppv_{seed.number:032x}", seed.created_by, seed.created_at, "READY",
        HASH, HASH, HASH, f"pa_{seed.number:08x}", DOCUMENT, DOCUMENT, DOCUMENT, DOCUMENT,
    )  # fmt: skip


def event_row(seed: ProposalSeed) -> tuple[Any, ...]:
    return (
        TENANT, seed.proposal_id, 1, f"pwe_{seed.number:032x}", "CREATED", seed.state, seed.created_by,
        seed.created_at, DOCUMENT,
    )  # fmt: skip
