"""Look up what an idempotency key stands for, and all it ever stood for."""

from __future__ import annotations

from dataclasses import dataclass

from service.domains.callers import Caller
from service.domains.idempotency import IdempotencyRecord, IdempotentAnswer, KeyHistoryEntry, KeyScope
from service.domains.values.pages import Page
from service.errors.idempotency import IdempotencyKeyNotFound
from service.flows.runtime import Runtime
from service.storage.ports.store import Store


@dataclass(frozen=True, slots=True)
class KeyedAnswer:
    """What a request with a key is answered with, the id it is about, and whether it was given before."""

    body: bytes
    entity_id: str
    replayed: bool


def keyed_answer(wanted: IdempotentAnswer, held: IdempotentAnswer | None) -> KeyedAnswer:
    """The answer of an act that was done now, or else the one that is held under its key."""
    answer = wanted if held is None else held
    return KeyedAnswer(answer.answer, answer.entity_id, replayed=held is not None)


class IdempotencyFlow:
    def __init__(self, store: Store, runtime: Runtime) -> None:
        self._store = store
        self._clock = runtime.clock
        self._retention = runtime.retention

    async def get_simulation_key(self, caller: Caller, idempotency_key: str) -> IdempotencyRecord:
        """The run that a simulate key stands for now. Raises IdempotencyKeyNotFound."""
        held = await self._store.idempotency.find(
            caller.tenant_id,
            KeyScope.DPM_SIMULATE,
            idempotency_key,
            self._retention.cutoff_at(self._clock.now()),
        )
        if held is None:
            raise IdempotencyKeyNotFound()
        return held

    async def list_history(
        self, caller: Caller, idempotency_key: str, *, limit: int, cursor: str | None
    ) -> Page[KeyHistoryEntry]:
        """One page of the runs recorded under a simulate key, oldest first. Raises IdempotencyKeyNotFound."""
        uses = await self._store.idempotency.list_history(
            caller.tenant_id,
            KeyScope.DPM_SIMULATE,
            idempotency_key,
            self._retention.cutoff_at(self._clock.now()),
            limit=limit,
            cursor=cursor,
        )
        if not uses.items and cursor is None:
            raise IdempotencyKeyNotFound()
        return uses
