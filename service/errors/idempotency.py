"""Errors of idempotency keys and their history."""

from __future__ import annotations

from service.errors.families import Conflict, NotFound


class HistoryApisDisabled(NotFound):
    code = message = "DPM_IDEMPOTENCY_HISTORY_APIS_DISABLED"


class IdempotencyKeyNotFound(NotFound):
    code = message = "DPM_IDEMPOTENCY_KEY_NOT_FOUND"


class IdempotencyKeyConflict(Conflict):
    code = "IDEMPOTENCY_KEY_CONFLICT"
    message = "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"
