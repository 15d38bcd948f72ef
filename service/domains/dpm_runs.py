"""A discretionary rebalance run as it was answered, and what recording it writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from service.domains.idempotency import KeyFamily, KeyMapping, KeyUse
from service.domains.lineage import Edge, EdgeType

DEFAULT_TENANT = "default"


class RunStatus(Enum):
    READY = "READY"
    PENDING_REVIEW = "PENDING_REVIEW"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What was asked, as canonical JSON.

    A simulate request has the id of its run. A batch has an id of its own, and many runs refer to it.
    """

    request_id: str
    tenant_id: str
    request_hash: str
    body: bytes
    created_at: datetime

    def __post_init__(self) -> None:
        assert is_utc(self.created_at), self.created_at


@dataclass(frozen=True, slots=True, kw_only=True)
class DpmRun:
    """What was answered; `result` is the very bytes the caller received."""

    rebalance_run_id: str
    tenant_id: str
    correlation_id: str
    request_hash: str
    idempotency_key: str | None
    portfolio_id: str
    status: RunStatus
    engine_version: str
    request_id: str
    scenario: str | None
    created_at: datetime
    result: bytes

    def __post_init__(self) -> None:
        assert is_utc(self.created_at), self.created_at
        assert self.scenario is None or self.idempotency_key is None, "a scenario of a batch has no key"


@dataclass(frozen=True, slots=True)
class RunAdmission:
    """A run that asks to be recorded under its key; with `replay`, an earlier run of that key wins."""

    run: DpmRun
    request: RunRequest
    replay: bool

    def __post_init__(self) -> None:
        assert self.run.idempotency_key is not None, "a simulate run has a key"
        assert belongs(self.run, self.request), (self.run.request_id, self.request.request_id)


@dataclass(frozen=True, slots=True)
class BatchAdmission:
    """The runs of one batch that were simulated, and the one request they share; none has a key."""

    request: RunRequest
    runs: tuple[DpmRun, ...]

    def __post_init__(self) -> None:
        assert all(run.idempotency_key is None for run in self.runs), "a run of a batch has no key"
        assert all(belongs(run, self.request) for run in self.runs), self.request.request_id


@dataclass(frozen=True, slots=True)
class Admitted:
    """The run the key stands for, and whether it was there before."""

    run: DpmRun
    replayed: bool


def mapping_of(run: DpmRun) -> KeyMapping:
    """What the key of a run stands for once the run is recorded."""
    assert run.idempotency_key is not None
    return KeyMapping(
        tenant_id=run.tenant_id,
        family=KeyFamily.DPM_SIMULATE,
        idempotency_key=run.idempotency_key,
        request_hash=run.request_hash,
        rebalance_run_id=run.rebalance_run_id,
        created_at=run.created_at,
    )


def use_of(run: DpmRun) -> KeyUse:
    """The line a run adds to the history of its key."""
    assert run.idempotency_key is not None
    return KeyUse(
        tenant_id=run.tenant_id,
        family=KeyFamily.DPM_SIMULATE,
        idempotency_key=run.idempotency_key,
        rebalance_run_id=run.rebalance_run_id,
        correlation_id=run.correlation_id,
        request_hash=run.request_hash,
        created_at=run.created_at,
    )


def edges_of(run: DpmRun) -> tuple[Edge, ...]:
    """The edges a recorded run brings: from its correlation id, and from its key (contract 7.1)."""
    metadata = {"request_hash": run.request_hash}
    sources = [(run.correlation_id, EdgeType.CORRELATION_TO_RUN)]
    if run.idempotency_key is not None:
        sources.append((run.idempotency_key, EdgeType.IDEMPOTENCY_TO_RUN))
    return tuple(
        Edge(source, edge_type, run.rebalance_run_id, run.created_at, metadata)
        for source, edge_type in sources
    )


def belongs(run: DpmRun, request: RunRequest) -> bool:
    return (run.tenant_id, run.request_id) == (request.tenant_id, request.request_id)


def is_utc(instant: datetime) -> bool:
    return instant.tzinfo is UTC or instant.utcoffset() == timedelta(0)
