"""Errors of idempotency keys and their history."""

from __future__ import annotations

from service.errors.families import Conflict, NotFound


class HistoryApisDisabled(NotFound):
    """A setting switches the routes of key history off."""

    code = message = "DPM_IDEMPOTENCY_HISTORY_APIS_DISABLED"


class IdempotencyKeyNotFound(NotFound):
    """No run is recorded under the idempotency key, or it has expired."""

    code = message = "DPM_IDEMPOTENCY_KEY_NOT_FOUND"


class IdempotencyKeyConflict(Conflict):
    """The idempotency key stands for another request."""

    code = "IDEMPOTENCY_KEY_CONFLICT"
    message = "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"
