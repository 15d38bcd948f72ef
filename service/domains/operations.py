"""Work accepted now and done later, as callers and support see it (RFC-0018)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from service.domains.lineage import Edge, EdgeType, LivesWith


class OperationType(Enum):
    ANALYZE_SCENARIOS = "ANALYZE_SCENARIOS"


class OperationStatus(Enum):
    """PENDING to RUNNING to SUCCEEDED or FAILED, and no other way."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class OperationError:
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`request` is what was asked, as canonical JSON; `result` the very bytes of its answer."""

    operation_id: str
    tenant_id: str
    operation_type: OperationType
    status: OperationStatus
    correlation_id: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    request: bytes
    result: bytes | None = None
    error: OperationError | None = None

    @property
    def is_executable(self) -> bool:
        return self.status is OperationStatus.PENDING


def edge_of_operation(operation: Operation) -> Edge:
    """The edge a submission brings (HTTP contract 7.1); it goes with its operation (D20)."""
    return Edge(
        operation.operation_id,
        EdgeType.OPERATION_TO_CORRELATION,
        operation.correlation_id,
        operation.created_at,
        {"operation_type": operation.operation_type.value},
        LivesWith.OPERATION,
    )
