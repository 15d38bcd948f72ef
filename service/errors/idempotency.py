"""Errors of idempotency keys and their history."""

from __future__ import annotations

from service.errors.families import Conflict, NotFound


class HistoryApisDisabled(NotFound):
    """The history of idempotency keys is switched off."""

    code = message = "DPM_IDEMPOTENCY_HISTORY_APIS_DISABLED"


class IdempotencyKeyNotFound(NotFound):
    """No request was recorded under this idempotency key."""

    code = message = "DPM_IDEMPOTENCY_KEY_NOT_FOUND"


class IdempotencyKeyConflict(Conflict):
    """The idempotency key was used before for another request."""

    code = "IDEMPOTENCY_KEY_CONFLICT"
    message = "IDEMPOTENCY_KEY_CONFLICT: request hash mismatch"
