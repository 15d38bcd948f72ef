"""What retention removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from service.domains.retention.cutoffs import RetentionCutoff

# What one transaction removes at most, so that writers beside it hardly wait.
DELETED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class DeletedRows:
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


def total_of(parts: Sequence[DeletedRows]) -> DeletedRows:
    return DeletedRows(
        **{column.name: sum(getattr(part, column.name) for part in parts) for column in fields(DeletedRows)}
    )


@dataclass(frozen=True, slots=True)
class Purged:
    """What one round of retention removed; `removed` is None while another instance is at it."""

    removed: DeletedRows | None
    simulations: int
    differences: int


@dataclass(frozen=True, slots=True)
class DeletionBatch:
    """One act of removal: everything that expired at the cutoff, up to `limit` runs and operations.

    So many of the oldest as are skipped stay where they are; the store refused to remove them before.
    """

    purge_id: str
    tenant_id: str
    purged_at: datetime
    cutoff: RetentionCutoff
    limit: int = DELETED_AT_ONCE
    runs_skipped: int = 0
    operations_skipped: int = 0
    has_runs: bool = True
    has_operations: bool = True

    @property
    def runs_limit(self) -> int:
        return self.limit if self.has_runs else 0

    @property
    def operations_limit(self) -> int:
        return self.limit if self.has_operations else 0


@dataclass(frozen=True, slots=True)
class DeletionRecord:
    """What is kept of a purge."""

    purge_id: str
    tenant_id: str
    purged_at: datetime
    cutoff: RetentionCutoff
    removed: DeletedRows
