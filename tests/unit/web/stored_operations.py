"""Operations put into the store as the flows leave them there, at instants a test can name."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientResponse

from service.domains.callers import DEFAULT_TENANT
from service.domains.operations import Claim, Ending, Lease, Operation
from service.storage.memory.store import MemoryStore
from tests.integration.contract.builders import AT, after, an_operation

OPERATIONS = "/rebalance/operations"
# The fields of the single answer in their order.
LOOKED_UP = [
    "operation_id",
    "operation_type",
    "status",
    "is_executable",
    "correlation_id",
    "created_at",
    "started_at",
    "finished_at",
    "result",
    "error",
    "progress",
    "attempt",
    "lease_owner",
    "lease_expires_at",
    "last_error",
]


class StoppedClock:
    def now(self) -> Any:
        return AT


async def submitted(store: MemoryStore, operation_id: str, seconds: float = 0, **fields: Any) -> Operation:
    """One that waits, created that many seconds after the others begin."""
    given: dict[str, Any] = {"operation_id": operation_id, "created_at": after(seconds), "scenarios_total": 3}
    operation = an_operation(**(given | fields))
    await store.operations.submit(operation)
    return operation


async def claimed(store: MemoryStore, operation_id: str, seconds: float) -> Claim:
    """Begins an operation at that second."""
    lease = Lease(after(seconds), after(seconds + 60))
    return await store.operations.claim(DEFAULT_TENANT, operation_id, lease)


async def ended(store: MemoryStore, operation_id: str, seconds: float, **end: Any) -> None:
    """Begins an operation at that second and ends it half a second later."""
    claim = await claimed(store, operation_id, seconds)
    await store.operations.finish(claim, Ending(finished_at=after(seconds + 0.5), **end))


async def refusal_of(answer: ClientResponse, status: int) -> str:
    """The code of an answer that refuses with that status and says nothing more."""
    problem = await answer.json()
    assert (answer.status, answer.content_type) == (status, "application/problem+json"), problem
    assert problem["detail"] == problem["code"]
    code: str = problem["code"]
    return code
