"""Simulations of proposals in SQL, kept for a time under their keys."""

from __future__ import annotations

from datetime import datetime

from service.domains.proposals.simulations import ProposalSimulation
from service.errors.idempotency import IdempotencyKeyConflict
from service.storage.sql.acts import Act, Row, SqlDatabase, every, one
from service.storage.texts import require_storable

NOUN = "proposal_simulations"

# A simulation under the same key may be removed before it is read; the key is free then.
KEEPS_MAX = 5


class SqlProposalSimulations:
    def __init__(self, database: SqlDatabase) -> None:
        self.database = database

    async def keep(
        self, simulation: ProposalSimulation, *, kept_since: datetime
    ) -> ProposalSimulation | None:
        return await self.database.write(keep, simulation, kept_since)

    async def find(
        self, tenant_id: str, idempotency_key: str, *, kept_since: datetime
    ) -> ProposalSimulation | None:
        return await self.database.read(find, tenant_id, idempotency_key, kept_since)

    async def purge(self, tenant_id: str, *, created_before: datetime, limit: int) -> int:
        return await self.database.write(purge, tenant_id, created_before, limit)


def keep(simulation: ProposalSimulation, kept_since: datetime) -> Act[ProposalSimulation | None]:
    """A caller that finds the key taken has written nothing and holds no lock while it reads."""
    require_storable(simulation)
    row = row_of(simulation)
    for _ in range(KEEPS_MAX):
        if (yield from one(NOUN, "insert_simulation", **row)) is not None:
            return None
        if (yield from one(NOUN, "replace_simulation", **row, kept_since=kept_since)) is not None:
            return None
        kept = yield from find(simulation.tenant_id, simulation.idempotency_key, kept_since)
        if kept is not None:
            if kept.request_hash != simulation.request_hash:
                raise IdempotencyKeyConflict(key=simulation.idempotency_key)
            return kept
    raise AssertionError("a key that is neither free nor held")


def find(tenant_id: str, idempotency_key: str, kept_since: datetime) -> Act[ProposalSimulation | None]:
    named = {"tenant_id": tenant_id, "idempotency_key": idempotency_key}
    row = yield from one(NOUN, "find_simulation", **named, kept_since=kept_since)
    return None if row is None else simulation_of(row)


def purge(tenant_id: str, created_before: datetime, limit: int) -> Act[int]:
    bounds = {"created_before": created_before, "limit": limit}
    removed = yield from every(NOUN, "delete_old_simulations", tenant_id=tenant_id, **bounds)
    return len(removed)


def row_of(simulation: ProposalSimulation) -> dict[str, object]:
    return {
        "tenant_id": simulation.tenant_id,
        "idempotency_key": simulation.idempotency_key,
        "request_hash": simulation.request_hash,
        "created_at": simulation.created_at,
        "request": simulation.request,
        "result": simulation.result,
    }


def simulation_of(row: Row) -> ProposalSimulation:
    return ProposalSimulation(
        tenant_id=row["tenant_id"],
        idempotency_key=row["idempotency_key"],
        request_hash=row["request_hash"],
        request=row["request"],
        result=row["result"],
        created_at=row["created_at"],
    )
