"""Keys and their history in memory."""

from __future__ import annotations

from service.domains.idempotency import KeyFamily, KeyMapping, KeyUse
from service.storage.memory.state import State


class MemoryIdempotency:
    def __init__(self, state: State) -> None:
        self.state = state

    async def find(self, tenant_id: str, family: KeyFamily, idempotency_key: str) -> KeyMapping | None:
        self.state.require_open()
        return self.state.keys.get((tenant_id, family, idempotency_key))

    async def list_history(
        self, tenant_id: str, family: KeyFamily, idempotency_key: str
    ) -> tuple[KeyUse, ...]:
        self.state.require_open()
        uses = self.state.history.get((tenant_id, family, idempotency_key), ())
        return tuple(sorted(uses, key=lambda use: (use.created_at, use.rebalance_run_id)))


def find_key(state: State, wanted: KeyMapping) -> KeyMapping | None:
    return state.keys.get((wanted.tenant_id, wanted.family, wanted.idempotency_key))


def move_key(state: State, mapping: KeyMapping) -> None:
    state.keys[mapping.tenant_id, mapping.family, mapping.idempotency_key] = mapping


def insert_use(state: State, use: KeyUse) -> None:
    state.history.setdefault((use.tenant_id, use.family, use.idempotency_key), []).append(use)
