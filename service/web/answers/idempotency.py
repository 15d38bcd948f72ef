"""Answers about idempotency keys."""

from __future__ import annotations

import msgspec

from service.domains.idempotency import KeyHistoryEntry
from service.domains.values.ids import CorrelationId, NextCursor, RequestHash, RunId
from service.domains.values.pages import Page
from service.domains.values.published import published


@published("DpmRunIdempotencyLookupResponse")
class KeyLookup(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunIdempotencyLookupResponse`."""

    idempotency_key: str
    """Idempotency key that was asked for."""
    request_hash: RequestHash
    rebalance_run_id: RunId
    created_at: str
    """Instant at which the key was used, in UTC."""


@published("DpmRunIdempotencyHistoryItem")
class KeyHistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunIdempotencyHistoryItem`."""

    rebalance_run_id: RunId
    correlation_id: CorrelationId
    request_hash: RequestHash
    created_at: str
    """Instant at which the key was used, in UTC."""


@published("DpmRunIdempotencyHistoryResponse")
class KeyHistory(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunIdempotencyHistoryResponse`, and a cursor where more runs follow."""

    idempotency_key: str
    """Idempotency key that was asked for."""
    history: list[KeyHistoryItem]
    """Runs that the key brought, oldest first."""
    next_cursor: NextCursor | None


def history_of(idempotency_key: str, uses: Page[KeyHistoryEntry]) -> KeyHistory:
    return KeyHistory(
        idempotency_key=idempotency_key,
        history=[
            KeyHistoryItem(
                rebalance_run_id=use.rebalance_run_id,
                correlation_id=use.correlation_id,
                request_hash=use.request_hash,
                created_at=use.created_at.isoformat(),
            )
            for use in uses.items
        ],
        next_cursor=uses.next_cursor,
    )
