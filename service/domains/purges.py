"""What retention removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from service.domains.retention import Horizon

# What one transaction removes at most, so that writers beside it hardly wait.
PURGED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Removed:
    """Rows removed by one act, by what they were."""

    runs: int = 0
    requests: int = 0
    artifacts: int = 0
    decisions: int = 0
    keys: int = 0
    uses: int = 0
    edges: int = 0
    operations: int = 0

    @property
    def anything(self) -> bool:
        return self.runs + self.operations > 0


def total_of(parts: Sequence[Removed]) -> Removed:
    return Removed(
        **{column.name: sum(getattr(part, column.name) for part in parts) for column in fields(Removed)}
    )


@dataclass(frozen=True, slots=True)
class Purge:
    """One act of removal: everything that expired at the horizon, up to `limit` runs and operations."""

    purge_id: str
    tenant_id: str
    purged_at: datetime
    horizon: Horizon
    limit: int = PURGED_AT_ONCE


@dataclass(frozen=True, slots=True)
class PurgeRecord:
    """What is kept of a purge."""

    purge_id: str
    tenant_id: str
    purged_at: datetime
    horizon: Horizon
    removed: Removed
