"""What the flows may ask of storage about the deletion of what has expired."""

from __future__ import annotations

from typing import Protocol

from service.domains.retention.deletions import DeletedRows, DeletionBatch, DeletionRecord


class RetentionStore(Protocol):
    async def remove(self, purge: DeletionBatch) -> DeletedRows | None:
        """Remove expired runs and operations with all that belongs to them, and keep a record of it.

        At most `limit` of each. Gives None, and does nothing, while another instance is at it. Removes and
        records nothing when nothing has expired.
        """
        ...

    async def list_records(self, tenant_id: str, *, limit: int) -> tuple[DeletionRecord, ...]:
        """What was removed, newest first."""
        ...
