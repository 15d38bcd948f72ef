"""A discretionary rebalance run as it was answered, and what recording it writes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import Enum

from service.domains.dpm_runs.artifacts import Artifact
from service.domains.idempotency import IdempotencyRecord, KeyHistoryEntry, KeyScope
from service.domains.lineage import Edge, EdgeType
from service.domains.policy_packs import AppliedPolicy


class RunStatus(Enum):
    """What the simulation of a run came to."""

    READY = "READY"
    """Every rule passed, and the targets were found without a shortfall."""
    PENDING_REVIEW = "PENDING_REVIEW"
    """A soft rule failed, or the targets could only be met in part; a person has to look at it."""
    BLOCKED = "BLOCKED"
    """A hard rule failed, data is missing or the limits cannot be met; nothing may be executed."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What was asked, as canonical JSON.

    A simulate request has the id of its run. A batch has an id of its own, and many runs refer to it; it is
    found again by the correlation id its caller sent, which its runs carry only as a part of theirs.
    """

    request_id: str
    tenant_id: str
    request_hash: str
    body: bytes
    created_at: datetime
    correlation_id: str | None = None

    def __post_init__(self) -> None:
        assert is_utc(self.created_at), self.created_at


@dataclass(frozen=True, slots=True, kw_only=True)
class DpmRun:
    """What was answered; `result` is the very bytes the caller received.

    It was computed with the options of its policy, where one was applied, else with those that were asked.
    """

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
    policy: AppliedPolicy | None = None

    def __post_init__(self) -> None:
        assert is_utc(self.created_at), self.created_at
        assert self.scenario is None or self.idempotency_key is None, "a scenario of a batch has no key"

    @property
    def policy_pack_id(self) -> str | None:
        return None if self.policy is None else self.policy.policy_pack_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run without its result, as lists show it."""

    rebalance_run_id: str
    correlation_id: str
    request_hash: str
    idempotency_key: str | None
    portfolio_id: str
    status: RunStatus
    scenario: str | None
    created_at: datetime


SUMMARY = tuple(field.name for field in fields(RunSummary))


def summary_of(run: DpmRun) -> RunSummary:
    return RunSummary(**{name: getattr(run, name) for name in SUMMARY})


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Bounds are inclusive and on the creation; a status outside the vocabulary matches nothing."""

    created_from: datetime | None = None
    created_to: datetime | None = None
    status: str | None = None
    request_hash: str | None = None
    portfolio_id: str | None = None
    policy_pack_id: str | None = None

    def matches(self, run: RunSummary, policy_pack_id: str | None) -> bool:
        """`policy_pack_id` is that of the run, which its summary leaves out."""
        return (
            self.status in (None, run.status.value)
            and self.request_hash in (None, run.request_hash)
            and self.portfolio_id in (None, run.portfolio_id)
            and self.policy_pack_id in (None, policy_pack_id)
            and (self.created_from is None or run.created_at >= self.created_from)
            and (self.created_to is None or run.created_at <= self.created_to)
        )


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run and what was asked for it, each with the digest that was written beside it."""

    run: DpmRun
    result_sha256: str
    request: RunRequest
    body_sha256: str


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """What was asked for a run; of a batch, the scenario that the run is."""

    request: RunRequest
    scenario: str | None


@dataclass(frozen=True, slots=True)
class RecordRun:
    """A run that asks to be recorded under its key; with `replay`, an earlier run of that key wins.

    The artifact is given where artifacts are kept, and the trace where the request named one.
    """

    run: DpmRun
    request: RunRequest
    replay: bool
    artifact: Artifact | None = None
    trace_id: str | None = None

    def __post_init__(self) -> None:
        assert self.run.idempotency_key is not None, "a simulate run has a key"
        assert belongs(self.run, self.request), (self.run.request_id, self.request.request_id)

    @property
    def edges(self) -> tuple[Edge, ...]:
        return edges_of(self.run, trace_id=self.trace_id)


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """The runs of one batch that were simulated, and the one request they share; none has a key.

    `cause_id` is what the runs came of: the operation that ran them, else the batch itself.
    """

    request: RunRequest
    runs: tuple[DpmRun, ...]
    cause_id: str
    artifacts: tuple[Artifact, ...] = ()
    trace_id: str | None = None

    def __post_init__(self) -> None:
        assert all(run.idempotency_key is None for run in self.runs), "a run of a batch has no key"
        assert all(belongs(run, self.request) for run in self.runs), self.request.request_id

    @property
    def edges(self) -> tuple[Edge, ...]:
        brought = (edges_of(run, cause_id=self.cause_id, trace_id=self.trace_id) for run in self.runs)
        return tuple(edge for edges in brought for edge in edges)


@dataclass(frozen=True, slots=True)
class RecordReplay:
    """A run computed again from the request of an earlier one, to be recorded beside it."""

    run: DpmRun
    original_id: str
    artifact: Artifact | None = None
    trace_id: str | None = None

    def __post_init__(self) -> None:
        assert self.run.idempotency_key is None, "a replay has no key"

    @property
    def edges(self) -> tuple[Edge, ...]:
        return edges_of(self.run, original_id=self.original_id, trace_id=self.trace_id)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The run the key stands for, and whether it was there before."""

    run: DpmRun
    replayed: bool


def mapping_of(run: DpmRun) -> IdempotencyRecord:
    """What the key of a run stands for once the run is recorded."""
    assert run.idempotency_key is not None
    return IdempotencyRecord(
        tenant_id=run.tenant_id,
        family=KeyScope.DPM_SIMULATE,
        idempotency_key=run.idempotency_key,
        request_hash=run.request_hash,
        rebalance_run_id=run.rebalance_run_id,
        created_at=run.created_at,
        policy_hash=None if run.policy is None else run.policy.content_hash,
    )


def use_of(run: DpmRun) -> KeyHistoryEntry:
    """The line a run adds to the history of its key."""
    assert run.idempotency_key is not None
    return KeyHistoryEntry(
        tenant_id=run.tenant_id,
        family=KeyScope.DPM_SIMULATE,
        idempotency_key=run.idempotency_key,
        rebalance_run_id=run.rebalance_run_id,
        correlation_id=run.correlation_id,
        request_hash=run.request_hash,
        created_at=run.created_at,
    )


def edges_of(
    run: DpmRun,
    *,
    cause_id: str | None = None,
    original_id: str | None = None,
    trace_id: str | None = None,
) -> tuple[Edge, ...]:
    """The edges a recorded run brings.

    From its correlation id, and from its key (contract 7.1); to what caused it, and to the run it repeats.
    The first also says in which trace the run was asked for, where that is known.
    """
    metadata = {"request_hash": run.request_hash}
    asked = metadata if trace_id is None else metadata | {"trace_id": trace_id}
    ends: list[tuple[str, EdgeType, str]] = []
    if run.idempotency_key is not None:
        ends.append((run.idempotency_key, EdgeType.IDEMPOTENCY_TO_RUN, run.rebalance_run_id))
    if cause_id is not None:
        ends.append((run.rebalance_run_id, EdgeType.CAUSED_BY, cause_id))
    if original_id is not None:
        ends.append((run.rebalance_run_id, EdgeType.REPLAYED_FROM, original_id))
    return (
        Edge(run.correlation_id, EdgeType.CORRELATION_TO_RUN, run.rebalance_run_id, run.created_at, asked),
        *(Edge(source, edge_type, target, run.created_at, metadata) for source, edge_type, target in ends),
    )


def belongs(run: DpmRun, request: RunRequest) -> bool:
    return (run.tenant_id, run.request_id) == (request.tenant_id, request.request_id)


def is_utc(instant: datetime) -> bool:
    return instant.tzinfo is UTC or instant.utcoffset() == timedelta(0)
