"""Cancels an accepted operation, also one that another process executes."""

from __future__ import annotations

import structlog

from service.domains.callers import Caller
from service.domains.operations import CANCELLATION, Operation
from service.flows.operations.attempts import AttemptRunner
from service.runtime.clock import Clock
from service.storage.ports.store import Store

logger = structlog.get_logger()


async def cancel_operation(
    caller: Caller, store: Store, clock: Clock, runner: AttemptRunner, operation_id: str
) -> Operation:
    """Fails an operation that has not ended; its holder stops when it next extends its lease.

    A holder in this process extends it at once. Raises OperationEnded, OperationNotFound, StoreUnavailable.
    """
    operation = await store.operations.fail(
        caller.tenant_id, operation_id, now=clock.now(), error=CANCELLATION
    )
    runner.check_lease(operation_id)
    # The line has the correlation id of the request that cancelled it as its own.
    logger.info(
        "operation_cancelled",
        operation_id=operation_id,
        attempt=operation.attempt,
        operation_correlation_id=operation.correlation_id,
    )
    return operation
