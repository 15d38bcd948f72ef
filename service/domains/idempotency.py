"""Keys that make a request repeatable: what a key stands for now, and all it ever stood for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from service.errors.idempotency import IdempotencyKeyConflict
from service.errors.policy_packs import PolicyPackDiffers


class KeyScope(Enum):
    """Endpoints that share one space of keys; a key is unique per tenant and family."""

    DPM_SIMULATE = "DPM_SIMULATE"


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """The run a key stands for now.

    The same key under another policy pack, or none, asks for something else (ruling 6).
    """

    tenant_id: str
    family: KeyScope
    idempotency_key: str
    request_hash: str
    rebalance_run_id: str
    created_at: datetime
    # The content hash of the policy pack that was applied.
    policy_hash: str | None = None

    def matches(self, request_hash: str, policy_hash: str | None) -> bool:
        return (self.request_hash, self.policy_hash) == (request_hash, policy_hash)

    def require_same(self, request_hash: str, policy_hash: str | None) -> None:
        """Raises IdempotencyKeyConflict, which says so when only the policy pack is another."""
        if self.request_hash != request_hash:
            raise IdempotencyKeyConflict(key=self.idempotency_key)
        if self.policy_hash != policy_hash:
            raise PolicyPackDiffers(key=self.idempotency_key)


class AnswerScope(Enum):
    """Endpoints whose first answer is kept under a key (ruling 18); a key is unique per tenant and family."""

    WORKFLOW_ACTION = "DPM_WORKFLOW_ACTION"
    ANALYZE_ASYNC = "DPM_ANALYZE_ASYNC"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotentAnswer:
    """The bytes that a request with a key was answered with, and the run or operation that they are about.

    The answer is kept for as long as what it is about; then the key is free.
    """

    tenant_id: str
    family: AnswerScope
    idempotency_key: str
    request_hash: str
    # A run for a workflow action, an operation for an analysis.
    entity_id: str
    created_at: datetime
    answer: bytes

    @property
    def rebalance_run_id(self) -> str | None:
        return self.entity_id if self.family is AnswerScope.WORKFLOW_ACTION else None

    @property
    def operation_id(self) -> str | None:
        return self.entity_id if self.family is AnswerScope.ANALYZE_ASYNC else None


@dataclass(frozen=True, slots=True)
class KeyHistoryEntry:
    """One run that was recorded under a key; it stays when the key moves on."""

    tenant_id: str
    family: KeyScope
    idempotency_key: str
    rebalance_run_id: str
    correlation_id: str
    request_hash: str
    created_at: datetime
