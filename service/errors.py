"""Every refusal the service can give, each with a code that never changes.

A refusal's message is the `detail` of the HTTP contract: the code, or the code, a colon and a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from service.store_causes import StoreCause


class ServiceError(Exception):
    """A refusal the caller can act on. Anything else that escapes is a bug."""

    code: ClassVar[str]
    message: ClassVar[str]
    # The facts that a caller is told as members of the problem (RFC 9457, section 3.2).
    shown: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **facts: object) -> None:
        super().__init__(self.message.format(**facts))
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        # Refusals cross process boundaries, and keyword facts are not what pickle gives back by itself.
        return (_again, (type(self), self.facts))

    @property
    def detail(self) -> Any:
        """What the caller reads under `detail`."""
        return str(self)

    @property
    def members(self) -> dict[str, object]:
        """What the caller reads beside `detail`: the facts named in `shown`, as far as they are known."""
        return {name: self.facts[name] for name in self.shown if self.facts.get(name) is not None}


class NotPlain(Exception):
    """A body does not follow its published shape to the letter; its schema knows whether it is refused."""


def _again(kind: type[ServiceError], facts: dict[str, object]) -> ServiceError:
    return kind(**facts)


class Malformed(ServiceError):
    """The request cannot be taken as it is, whatever is stored."""


class Unreadable(Malformed):
    """What was sent does not reach us whole."""


class TooLarge(Malformed):
    """The request is larger than we read."""


class TooSlow(Malformed):
    """The request does not arrive in time."""


class WrongMediaType(Malformed):
    """The body is not JSON by its own word."""


class NotFound(ServiceError):
    """The named thing does not exist, or not for this caller."""


class Conflict(ServiceError):
    """The stored state forbids it now; it may be allowed later."""


class Unavailable(ServiceError):
    """We cannot answer now; the caller may try again after retry_after_seconds.

    Where retry_after_seconds_max is more, callers are told different times up to it.
    """

    retry_after_seconds: int = 1
    retry_after_seconds_max: int = 1


class RequestInvalid(Malformed):
    """The request breaks the published shape; the entries say where (HTTP contract 2.3)."""

    code = "REQUEST_VALIDATION_FAILED"
    message = "REQUEST_VALIDATION_FAILED"

    def __init__(self, entries: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        self.entries = tuple(entries)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.entries,))

    @property
    def detail(self) -> Any:
        return list(self.entries)


class JsonTooDeep(Malformed):
    code = "JSON_TOO_DEEP"
    message = "JSON_TOO_DEEP: the body nests deeper than {levels_max} levels"


class ProposalSimulationDisabled(Malformed):
    """The request does not set the switch that asks for a simulation."""

    code = "PROPOSAL_SIMULATION_DISABLED"
    message = "PROPOSAL_SIMULATION_DISABLED: set options.enable_proposal_simulation=true"


class BodyUnreadable(Unreadable):
    code = "REQUEST_BODY_UNREADABLE"
    message = "REQUEST_BODY_UNREADABLE: the body ends early or is not encoded as it says"


class BodyTooLarge(TooLarge):
    code = "REQUEST_BODY_TOO_LARGE"
    message = "REQUEST_BODY_TOO_LARGE: the body is larger than {bytes_max} bytes"


class MediaTypeUnsupported(WrongMediaType):
    code = "UNSUPPORTED_MEDIA_TYPE"
    message = "UNSUPPORTED_MEDIA_TYPE: the body must be application/json"


class SupportApisDisabled(NotFound):
    code = message = "DPM_SUPPORT_APIS_DISABLED"


class SummaryApisDisabled(NotFound):
    code = message = "DPM_SUPPORTABILITY_SUMMARY_APIS_DISABLED"


class BundleApisDisabled(NotFound):
    code = message = "DPM_SUPPORT_BUNDLE_APIS_DISABLED"


class ArtifactsDisabled(NotFound):
    code = message = "DPM_ARTIFACTS_DISABLED"


class WorkflowDisabled(NotFound):
    code = message = "DPM_WORKFLOW_DISABLED"


class LineageApisDisabled(NotFound):
    code = message = "DPM_LINEAGE_APIS_DISABLED"


class HistoryApisDisabled(NotFound):
    code = message = "DPM_IDEMPOTENCY_HISTORY_APIS_DISABLED"


class OperationsDisabled(NotFound):
    code = message = "DPM_ASYNC_OPERATIONS_DISABLED"


class ManualExecutionDisabled(NotFound):
    code = message = "DPM_ASYNC_MANUAL_EXECUTION_DISABLED"


class RunNotFound(NotFound):
    code = message = "DPM_RUN_NOT_FOUND"


class IdempotencyKeyNotFound(NotFound):
    code = message = "DPM_IDEMPOTENCY_KEY_NOT_FOUND"


class OperationNotFound(NotFound):
    code = message = "DPM_ASYNC_OPERATION_NOT_FOUND"


class IdempotencyKeyConflict(Conflict):
    code = "IDEMPOTENCY_KEY_CONFLICT"
    message = "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"


class RunExists(Conflict):
    """A drawn run id is taken; never reaches a caller, the flow draws another."""

    code = message = "DPM_RUN_EXISTS"


class WorkflowNotRequired(Conflict):
    code = message = "DPM_WORKFLOW_NOT_REQUIRED_FOR_RUN_STATUS"


class DecidedBefore(Conflict):
    """An earlier decision forbids this one; the caller is told who decided what and when (ruling 18)."""

    shown = ("decision", "decided_by", "decided_at", "decision_id")


class WorkflowInvalidTransition(DecidedBefore):
    code = message = "DPM_WORKFLOW_INVALID_TRANSITION"


class WorkflowStateConflict(DecidedBefore):
    """The state is not the one the reviewer says they saw."""

    code = message = "DPM_WORKFLOW_STATE_CONFLICT"


class ReplayEngineUnknown(Conflict):
    """The run was made by an engine version that this build does not carry."""

    code = "DPM_REPLAY_ENGINE_UNKNOWN"
    message = "DPM_REPLAY_ENGINE_UNKNOWN: this build has no engine version {engine_version}"


class DecisionExists(Conflict):
    """A drawn decision id is taken; never reaches a caller, the flow draws another."""

    code = message = "DPM_WORKFLOW_DECISION_EXISTS"


class OperationExists(Conflict):
    """A drawn operation id is taken; never reaches a caller, the flow draws another."""

    code = message = "DPM_ASYNC_OPERATION_EXISTS"


class OperationMoved(Conflict):
    """Somebody else moved the operation on before."""

    code = message = "DPM_ASYNC_OPERATION_NOT_EXECUTABLE"


class OperationEnded(Conflict):
    """It has ended, so it cannot be cancelled; the caller is told how it ended and when."""

    code = "DPM_ASYNC_OPERATION_NOT_CANCELLABLE"
    message = "DPM_ASYNC_OPERATION_NOT_CANCELLABLE: the operation ended as {outcome} at {finished_at}"
    shown = ("outcome", "finished_at")


class OperationLost(Conflict):
    """The claim is no longer ours; never reaches a caller, who gets the operation as it is."""

    code = message = "DPM_ASYNC_OPERATION_LOST"


class PolicyCatalogMoved(Conflict):
    """Somebody else changed the catalog before; never reaches a caller, the flow decides anew."""

    code = message = "DPM_POLICY_PACK_CATALOG_MOVED"


class StoreUnavailable(Unavailable):
    """The store cannot be reached or does not answer in time; nothing was written.

    A caller is told the contract's code whatever the cause; logs, metrics and readiness tell the cause.
    """

    code = message = "DPM_SUPPORTABILITY_STORE_UNAVAILABLE"

    def __init__(self, *, cause: StoreCause = StoreCause.CONNECTION) -> None:
        super().__init__(cause=cause)

    @property
    def cause(self) -> StoreCause:
        return StoreCause(self.facts["cause"])


class PostgresDsnRequired(StoreUnavailable):
    """PostgreSQL is chosen and no address was given."""

    code = message = "DPM_SUPPORTABILITY_POSTGRES_DSN_REQUIRED"


class PostgresUnavailable(StoreUnavailable):
    code = message = "DPM_SUPPORTABILITY_POSTGRES_CONNECTION_FAILED"


class StoreBusy(StoreUnavailable):
    """The store is there, and others keep it busy; a caller is told that the service is overloaded."""

    code = message = "DPM_SUPPORTABILITY_STORE_BUSY"

    def __init__(self, *, cause: StoreCause = StoreCause.BUSY) -> None:
        super().__init__(cause=cause)


class Stopping(Unavailable):
    code = message = "SERVICE_STOPPING"


class Overloaded(Unavailable):
    """More is asked at a time than can be done; nothing was looked at."""

    code = message = "SERVICE_OVERLOADED"
    retry_after_seconds_max = 3
