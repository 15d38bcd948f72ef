"""What the flows may ask of storage about idempotency keys."""

from __future__ import annotations

from typing import Protocol

from service.domains.idempotency import KeyFamily, KeyMapping, KeyUse
from service.domains.retention.cutoffs import Horizon
from service.domains.values.pages import Page


class IdempotencyStore(Protocol):
    async def find(
        self, tenant_id: str, family: KeyFamily, idempotency_key: str, horizon: Horizon
    ) -> KeyMapping | None:
        """The run a key stands for now."""
        ...

    async def list_history(
        self,
        tenant_id: str,
        family: KeyFamily,
        idempotency_key: str,
        horizon: Horizon,
        *,
        limit: int,
        cursor: str | None,
    ) -> Page[KeyUse]:
        """The runs recorded under a key, by creation and id; the cursor is the id of the last."""
        ...
