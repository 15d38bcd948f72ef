"""What the flows may ask of storage about operations, and of the queue that wakes workers up.

Each write method is one act: all of it is kept, or nothing. Every method may raise StoreUnavailable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from service.domains.idempotency import IdempotentAnswer
from service.domains.operations import (
    RELEASE,
    Claim,
    Ending,
    Lease,
    Operation,
    OperationError,
    OperationFilter,
    OperationSummary,
    Reaped,
    StagedScenario,
)
from service.domains.proposals.values import ProposalKey
from service.domains.retention.cutoffs import RetentionCutoff
from service.domains.values.pages import Page


class OperationStore(Protocol):
    """Holders write with their claim; they raise OperationLost, and write nothing, once it is not theirs.

    A claim is lost when its lease ended before `lease.now`, and when the operation was taken back since.
    """

    async def submit(
        self, operation: Operation, *, trace_id: str | None = None, enqueue: bool = True
    ) -> None:
        """Keep a PENDING operation and its edge, and offer it to the workers if it is queued, in one act.

        The edge says in which trace the operation was asked for, where that is known. Without `offer` workers
        are not told, as they work elsewhere. Raises OperationExists when its id is taken. Only PostgreSQL has
        a queue.
        """
        ...

    async def submit_once(
        self,
        operation: Operation,
        answer: IdempotentAnswer,
        cutoff: RetentionCutoff,
        *,
        trace_id: str | None = None,
        enqueue: bool = True,
    ) -> IdempotentAnswer | None:
        """Submit an operation and keep its answer under a key, in one act; None when it was.

        When the key is taken with the same request hash, the answer that is kept is given back and nothing is
        written; with another hash, raises IdempotencyKeyConflict. Equal callers at once leave one operation.
        """
        ...

    async def claim(self, tenant_id: str, operation_id: str, lease: Lease) -> Claim:
        """Move an operation from PENDING to RUNNING, started at `lease.now`, and count the attempt.

        Of many at once one gets it. Raises OperationMoved when it is not PENDING, OperationNotFound.
        """
        ...

    async def extend(self, claim: Claim, lease: Lease) -> None:
        """Hold on until `lease.until`."""
        ...

    async def stage(self, claim: Claim, scenarios: Sequence[StagedScenario], lease: Lease) -> None:
        """Keep what came of scenarios, count them as done, and hold on until `lease.until`.

        A scenario that is staged already stays as it is, and counts once.
        """
        ...

    async def list_staged(self, tenant_id: str, operation_id: str) -> tuple[StagedScenario, ...]:
        """What came of the scenarios so far, by their names; empty once the operation has ended."""
        ...

    async def finish(self, claim: Claim, ending: Ending) -> ProposalKey | None:
        """Keep the end of an operation with all that came of it, and forget what was staged.

        All of it comes to be seen at once. Raises RunExists when the batch id or a run id is taken.

        A change of a proposal is kept as ProposalStore.change keeps it, and raises what that raises. When its
        key is taken with the same request hash, the row of the key is given back and nothing is written, so
        that the operation can be ended with the answer in it.
        """
        ...

    async def release(
        self,
        claim: Claim,
        lease: Lease,
        *,
        error: OperationError = RELEASE,
        attempts_max: int | None = None,
    ) -> bool:
        """Move an operation back to PENDING, what is staged kept, with `error` as its last error.

        The attempt counts when it began over a lease ago. One that has had `attempts_max` attempts, where
        there is such a bound, fails with ATTEMPTS_EXHAUSTED instead, and True is given back.
        """
        ...

    async def fail(
        self, tenant_id: str, operation_id: str, *, now: datetime, error: OperationError
    ) -> Operation:
        """End an operation that is PENDING or RUNNING with an error, claimed or not; gives it as it ended.

        Its holder loses it. What was staged is forgotten, and its job leaves the queue. Of this act and any
        other that ends the operation, one is kept. Raises OperationEnded, OperationNotFound.
        """
        ...

    async def fail_overdue(
        self,
        tenant_id: str,
        *,
        started_before: datetime,
        now: datetime,
        error: OperationError,
        limit: int,
        only: Collection[str] | None = None,
    ) -> tuple[str, ...]:
        """Fail operations that first began before an instant and have not ended; gives their ids.

        At most `limit` at once, those that began first; and none but `only` these, where they are named.
        """
        ...

    async def reap(
        self,
        tenant_id: str,
        *,
        now: datetime,
        attempts_max: int,
        limit: int,
        only: Collection[str] | None = None,
    ) -> Reaped:
        """Take RUNNING operations whose lease ended before `now` back to PENDING.

        One that has had `attempts_max` attempts fails with ATTEMPTS_EXHAUSTED instead. At most `limit` at
        once, those created first; and none but `only` these, where they are named.
        """
        ...

    async def expire(
        self,
        tenant_id: str,
        *,
        created_before: datetime,
        now: datetime,
        limit: int,
        only: Collection[str] | None = None,
    ) -> tuple[str, ...]:
        """Fail PENDING analyses that were created before an instant, with EXPIRED (D18); gives their ids.

        Those that workers are to run wait for as long as it takes. At most `limit` at once, oldest first;
        and none but `only` these, where they are named.
        """
        ...

    async def get(self, tenant_id: str, operation_id: str, cutoff: RetentionCutoff) -> Operation:
        """Raises OperationNotFound."""
        ...

    async def find_newest_by_correlation(
        self, tenant_id: str, correlation_id: str, cutoff: RetentionCutoff
    ) -> Operation | None:
        """The operation of that correlation id created last, the larger id winning a tie."""
        ...

    async def list(
        self,
        tenant_id: str,
        operations: OperationFilter,
        *,
        limit: int,
        cursor: str | None,
        cutoff: RetentionCutoff,
    ) -> Page[OperationSummary]:
        """Operations by creation and id, newest first; the cursor is the id of the last row."""
        ...


# What to do with an offered operation: forget the offer (None), or make it again after so many seconds.
HandleJob = Callable[[str, str], Awaitable[float | None]]


class JobQueue(Protocol):
    """Wakes workers up; what is to be done, and by whom, stands in the operation (see OperationStore)."""

    async def work(self, handle: HandleJob, *, stop: asyncio.Event, drain: bool) -> None:
        """Call `handle` with the tenant id and id of each offered operation, until `stop` is set.

        An offer that is not answered, because its worker died, is made again to another. With `drain`, comes
        back by itself once no offer is left. Stays at work while the server is away, and comes back when all
        calls of `handle` have.
        """
        ...

    async def refill(
        self, tenant_id: str, *, created_before: datetime, silent_seconds: float, limit: int
    ) -> int:
        """Offer queued PENDING operations once more whose offer was lost; gives how many.

        An offer is lost when there is none though the operation was accepted before an instant, and when a
        worker that has been silent for so long took it and began nothing. Raises StoreUnavailable.
        """
        ...

    async def count_waiting(self) -> int:
        """How many offers no worker has taken. Raises StoreUnavailable."""
        ...

    async def close(self) -> None: ...
