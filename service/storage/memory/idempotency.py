"""Keys and their history in memory."""

from __future__ import annotations

from itertools import islice

from service.domains.idempotency import IdempotencyRecord, KeyHistoryEntry, KeyScope
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import Page, empty_page, page_of
from service.storage.memory.tables.collector import hide
from service.storage.memory.tables.sorted_index import Place, ShelfKey
from service.storage.memory.tables.state import State


class MemoryIdempotency:
    def __init__(self, state: State) -> None:
        self.state = state

    async def find(
        self, tenant_id: str, family: KeyScope, idempotency_key: str, cutoff: RetentionCutoff
    ) -> IdempotencyRecord | None:
        self.state.require_open()
        return find_key(self.state, tenant_id, family, idempotency_key, cutoff)

    async def list_history(
        self,
        tenant_id: str,
        family: KeyScope,
        idempotency_key: str,
        cutoff: RetentionCutoff,
        *,
        limit: int,
        cursor: str | None,
    ) -> Page[KeyHistoryEntry]:
        self.state.require_open()
        shelf = (tenant_id, family.value, idempotency_key)
        after = None
        if cursor is not None:
            last = self.state.uses.get((tenant_id, cursor))
            if last is None or shelf_of(last) != shelf or last.created_at < cutoff.runs_since:
                return empty_page()
            after = place_of(last)
        places = self.state.uses_by_key.forward(shelf, first=cutoff.runs_since, after=after)
        rows = [self.state.uses[tenant_id, run_id] for _, run_id in islice(places, limit + 1)]
        return page_of(rows, limit, lambda use: use.rebalance_run_id)


def find_key(
    state: State, tenant_id: str, family: KeyScope, idempotency_key: str, cutoff: RetentionCutoff
) -> IdempotencyRecord | None:
    """What a key stands for; a key whose run has expired is free."""
    held = state.keys.get((tenant_id, family, idempotency_key))
    return held if held is not None and held.created_at >= cutoff.runs_since else None


def move_key(state: State, mapping: IdempotencyRecord) -> None:
    key = (mapping.tenant_id, mapping.family, mapping.idempotency_key)
    hide(key, mapping)
    state.keys[key] = mapping


def insert_use(state: State, use: KeyHistoryEntry) -> None:
    hide(use)
    state.uses[use.tenant_id, use.rebalance_run_id] = use
    state.uses_by_key.put(shelf_of(use), place_of(use))


def remove_key(state: State, tenant_id: str, rebalance_run_id: str) -> int:
    """Free the key that stands for a run."""
    use = state.uses.get((tenant_id, rebalance_run_id))
    if use is None:
        return 0
    key = (use.tenant_id, use.family, use.idempotency_key)
    held = state.keys.get(key)
    if held is None or held.rebalance_run_id != rebalance_run_id:
        return 0
    del state.keys[key]
    return 1


def remove_use(state: State, tenant_id: str, rebalance_run_id: str) -> int:
    """Remove a run from the history of its key."""
    use = state.uses.pop((tenant_id, rebalance_run_id), None)
    if use is None:
        return 0
    state.uses_by_key.take(shelf_of(use), place_of(use))
    return 1


def shelf_of(use: KeyHistoryEntry) -> ShelfKey:
    return (use.tenant_id, use.family.value, use.idempotency_key)


def place_of(use: KeyHistoryEntry) -> Place:
    return (use.created_at, use.rebalance_run_id)
