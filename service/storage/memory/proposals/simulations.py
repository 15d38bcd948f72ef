"""Simulations of proposals in memory, kept for a time under their keys."""

from __future__ import annotations

from datetime import datetime

from service.domains.proposals.simulations import ProposalSimulation
from service.errors.idempotency import IdempotencyKeyConflict
from service.storage.memory.tables.collector import hide
from service.storage.memory.tables.sorted_index import Place
from service.storage.memory.tables.state import State
from service.storage.texts import require_storable


class MemoryProposalSimulations:
    def __init__(self, state: State) -> None:
        self.state = state

    async def keep(
        self, simulation: ProposalSimulation, *, kept_since: datetime
    ) -> ProposalSimulation | None:
        require_storable(simulation)
        self.state.require_open()
        tenant_id, idempotency_key = simulation.tenant_id, simulation.idempotency_key
        held = find_simulation(self.state, tenant_id, idempotency_key, kept_since)
        if held is None:
            remove_simulation(self.state, tenant_id, idempotency_key)
            hide(simulation)
            self.state.simulations[tenant_id, idempotency_key] = simulation
            self.state.simulations_by_creation.put((tenant_id,), place_of(simulation))
            self.state.trim("simulations", tenant_id)
            return None
        if held.request_hash != simulation.request_hash:
            raise IdempotencyKeyConflict(key=idempotency_key)
        return held

    async def find(
        self, tenant_id: str, idempotency_key: str, *, kept_since: datetime
    ) -> ProposalSimulation | None:
        self.state.require_open()
        return find_simulation(self.state, tenant_id, idempotency_key, kept_since)

    async def purge(self, tenant_id: str, *, created_before: datetime, limit: int) -> int:
        self.state.require_open()
        old = self.state.simulations_by_creation.older_than((tenant_id,), created_before, limit)
        for _, idempotency_key in old:
            remove_simulation(self.state, tenant_id, idempotency_key)
        return len(old)


def find_simulation(
    state: State, tenant_id: str, idempotency_key: str, kept_since: datetime
) -> ProposalSimulation | None:
    held = state.simulations.get((tenant_id, idempotency_key))
    return held if held is not None and held.created_at >= kept_since else None


def remove_simulation(state: State, tenant_id: str, idempotency_key: str) -> None:
    """Remove what a key stands for, if anything."""
    held = state.simulations.pop((tenant_id, idempotency_key), None)
    if held is not None:
        state.simulations_by_creation.take((tenant_id,), place_of(held))


def place_of(simulation: ProposalSimulation) -> Place:
    return (simulation.created_at, simulation.idempotency_key)
