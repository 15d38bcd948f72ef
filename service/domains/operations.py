"""Work accepted now and done later: its states, and who may move it on (RFC-0018, HTTP contract 7.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from service.domains.dpm_runs.values import RecordBatch, RunStatus
from service.domains.lineage import Edge, EdgeType, OwnerKind
from service.domains.proposals.values import ProposalChange

ATTEMPTS_EXHAUSTED = "DPM_ASYNC_ATTEMPTS_EXHAUSTED"
EXPIRED = "DPM_ASYNC_OPERATION_EXPIRED"
EXECUTION_ERROR = "DPM_ASYNC_EXECUTION_ERROR"
CANCELLED = "DPM_ASYNC_OPERATION_CANCELLED"
DEADLINE_EXCEEDED = "DPM_ASYNC_OPERATION_DEADLINE_EXCEEDED"
STORE_REFUSED = "DPM_ASYNC_STORE_REFUSED"
# Errors of an attempt that did not end its operation; they are shown as its last error.
LEASE_EXPIRED = "DPM_ASYNC_LEASE_EXPIRED"
RELEASED = "DPM_ASYNC_ATTEMPT_RELEASED"

OperationErrorCode = str
"""Why the operation failed; one of proposals also with the code that its request would be refused with.

- DPM_ASYNC_EXECUTION_ERROR: The work failed.
- DPM_ASYNC_OPERATION_CANCELLED: A caller cancelled it.
- DPM_ASYNC_OPERATION_DEADLINE_EXCEEDED: It did not end in the time that one may take.
- DPM_ASYNC_OPERATION_EXPIRED: No process began to run it in its time.
- DPM_ASYNC_ATTEMPTS_EXHAUSTED: Every attempt that it may take was over without a result.
- DPM_ASYNC_STORE_REFUSED: The store refused to have it begun, and would again.
"""
AttemptErrorCode = str
"""Why the attempt was over.

- DPM_ASYNC_LEASE_EXPIRED: The process that ran it died, froze or lost the store.
- DPM_ASYNC_ATTEMPT_RELEASED: The process stopped, or the request that ran it ended.
- DPM_REPLAY_ENGINE_UNKNOWN: The process does not carry the engine version that the operation was accepted
  for.
"""


class OperationType(Enum):
    """What an operation does."""

    ANALYZE_SCENARIOS = "ANALYZE_SCENARIOS"
    """Simulates the scenarios of a batch."""
    CREATE_PROPOSAL = "CREATE_PROPOSAL"
    """Creates a proposal with its first version."""
    CREATE_PROPOSAL_VERSION = "CREATE_PROPOSAL_VERSION"
    """Adds a version to a proposal."""


class OperationStatus(Enum):
    """How far an operation has come."""

    PENDING = "PENDING"
    """Accepted, and waiting to be run."""
    RUNNING = "RUNNING"
    """A process is working on it."""
    SUCCEEDED = "SUCCEEDED"
    """Ended with a result."""
    FAILED = "FAILED"
    """Ended with an error, which includes having been cancelled."""


# Every move there is; the schema refuses the others too. An operation is claimed, and its attempt ends with a
# result, an error, or back where it was: handed back by who stops, or taken back when the lease has ended.
# An operation that was not executed in its time fails without having run, and so does a cancelled one.
MOVES: Mapping[OperationStatus, frozenset[OperationStatus]] = {
    OperationStatus.PENDING: frozenset({OperationStatus.RUNNING, OperationStatus.FAILED}),
    OperationStatus.RUNNING: frozenset(
        {OperationStatus.PENDING, OperationStatus.SUCCEEDED, OperationStatus.FAILED}
    ),
    OperationStatus.SUCCEEDED: frozenset(),
    OperationStatus.FAILED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class OperationError:
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class AttemptError:
    """Why an attempt ended that did not end its operation: it was released, or its lease expired."""

    code: str
    message: str
    attempt: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSummary:
    """An operation without what was asked and answered, as lists show it.

    `attempt` counts the times it was begun, but for those that were released within a lease. `is_queued` says
    that it is for workers to run. `lease_owner` names the process that runs it; unless it extends its lease,
    others requeue the operation after `lease_expires_at`. `last_error` is that of the latest attempt that did
    not end the operation.
    """

    operation_id: str
    tenant_id: str
    operation_type: OperationType
    status: OperationStatus
    correlation_id: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: OperationError | None = None
    is_queued: bool = False
    attempt: int = 0
    scenarios_total: int = 0
    scenarios_done: int = 0
    lease_owner: str | None = None
    # It moves four times in a lease, so two operations that differ in nothing else are the same.
    lease_expires_at: datetime | None = field(default=None, compare=False)
    # When its first attempt began; its deadline counts from then.
    first_started_at: datetime | None = None
    last_error: AttemptError | None = None

    @property
    def is_executable(self) -> bool:
        return self.status is OperationStatus.PENDING

    @property
    def is_analysis(self) -> bool:
        """Only analyses are counted and expire; operations of proposals stay (HTTP contract 7.5)."""
        return self.operation_type is OperationType.ANALYZE_SCENARIOS

    @property
    def has_ended(self) -> bool:
        return not MOVES[self.status]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(OperationSummary):
    """`request` is what is to be done, resolved on acceptance; `result` the very bytes of its answer."""

    request: bytes
    result: bytes | None = None


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """Bounds are inclusive and on the creation; what is outside a vocabulary matches nothing."""

    created_from: datetime | None = None
    created_to: datetime | None = None
    operation_type: str | None = None
    status: str | None = None
    correlation_id: str | None = None

    def matches(self, operation: OperationSummary) -> bool:
        return (
            self.operation_type in (None, operation.operation_type.value)
            and self.status in (None, operation.status.value)
            and self.correlation_id in (None, operation.correlation_id)
            and (self.created_from is None or operation.created_at >= self.created_from)
            and (self.created_to is None or operation.created_at <= self.created_to)
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on an operation for as long as its lease is extended.

    `fence` grows with every claim of the operation, so that what an earlier holder writes late is refused.
    """

    operation: Operation
    fence: int


@dataclass(frozen=True, slots=True)
class Lease:
    """From `now` until `until`, by the clock of who holds it; what is written later than that is refused.

    `owner` names the process that holds it.
    """

    now: datetime
    until: datetime
    owner: str | None = None

    @property
    def uncounted_since(self) -> datetime:
        """An attempt that began before this instant has run for more than a lease, and is counted."""
        return self.now - (self.until - self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedScenario:
    """What came of one scenario, kept where no reader looks until the whole operation is finished.

    A scenario that ran has its status, its result as it will be answered, and its figures as JSON; one that
    failed has the text of its failure.
    """

    scenario: str
    status: RunStatus | None = None
    result: bytes | None = None
    metric: bytes | None = None
    failure: str | None = None

    def __post_init__(self) -> None:
        ran = (self.status, self.result, self.metric)
        assert all(part is None for part in ran) == (self.failure is not None), self.scenario
        assert self.failure is not None or all(part is not None for part in ran), self.scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What an operation ends with: its result, and the runs or the change that came of it; or its error."""

    finished_at: datetime
    result: bytes | None = None
    effect: RecordBatch | ProposalChange | None = None
    error: OperationError | None = None

    def __post_init__(self) -> None:
        assert (self.result is None) != (self.error is None), "an end is a result or an error"
        assert self.effect is None or self.error is None, "a failed operation leaves nothing behind"

    @property
    def status(self) -> OperationStatus:
        return OperationStatus.SUCCEEDED if self.error is None else OperationStatus.FAILED


@dataclass(frozen=True, slots=True)
class Reaped:
    """The ids of operations whose lease had ended: those that may be begun again, and those that failed."""

    requeued: tuple[str, ...] = ()
    exhausted: tuple[str, ...] = ()


def exhausted_after(attempts: int) -> OperationError:
    """The error of an operation that no attempt could finish."""
    return OperationError(ATTEMPTS_EXHAUSTED, f"{attempts} attempts ended without a result")


def end_of(operation: OperationSummary) -> dict[str, str]:
    """What a refusal tells of an operation that has ended: as what, and when."""
    assert operation.finished_at is not None, operation.status
    was_cancelled = operation.error is not None and operation.error.code == CANCELLED
    return {
        "outcome": "CANCELLED" if was_cancelled else operation.status.value,
        "finished_at": operation.finished_at.isoformat(),
    }


def overdue_after(seconds: int) -> OperationError:
    """What an operation fails with that did not end in its time."""
    return OperationError(DEADLINE_EXCEEDED, f"not finished within {seconds} seconds of its first start")


def lease_expired(owner: str | None) -> OperationError:
    """Why an attempt is over whose process died, froze or lost the store."""
    return OperationError(LEASE_EXPIRED, f"the lease of {owner or 'its owner'} expired")


# What an operation fails with that a caller cancelled.
CANCELLATION = OperationError(CANCELLED, "cancelled by a caller before it ended")
# Why an attempt is over that was cancelled with the operation still to be done.
RELEASE = OperationError(RELEASED, "released: the process stopped, or the request that ran it ended")

# The error of an operation that was not executed in its time.
UNEXECUTED = OperationError(EXPIRED, "nobody executed the operation in its time")


def edge_of_operation(operation: OperationSummary, trace_id: str | None = None) -> Edge:
    """The edge a submission brings (HTTP contract 7.1); it goes with its operation (D20).

    It says in which trace the operation was asked for, where that is known.
    """
    metadata = {"operation_type": operation.operation_type.value}
    return Edge(
        operation.operation_id,
        EdgeType.OPERATION_TO_CORRELATION,
        operation.correlation_id,
        operation.created_at,
        metadata if trace_id is None else metadata | {"trace_id": trace_id},
        OwnerKind.OPERATION,
    )
