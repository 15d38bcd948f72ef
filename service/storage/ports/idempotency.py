"""What the flows may ask of storage about idempotency keys."""

from __future__ import annotations

from typing import Protocol

from service.domains.idempotency import IdempotencyRecord, KeyHistoryEntry, KeyScope
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import Page


class IdempotencyStore(Protocol):
    async def find(
        self, tenant_id: str, family: KeyScope, idempotency_key: str, cutoff: RetentionCutoff
    ) -> IdempotencyRecord | None:
        """The run a key stands for now."""
        ...

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
        """The runs recorded under a key, by creation and id; the cursor is the id of the last."""
        ...
