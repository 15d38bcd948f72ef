"""What an idempotency key stands for, and all it ever stood for."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.domains.idempotency import KeyHistoryEntry
from service.domains.values.ids import CorrelationId, NextCursor, RequestHash, RunId
from service.domains.values.pages import Page
from service.errors.idempotency import IdempotencyKeyNotFound
from service.web import keys
from service.web.requests import parameters
from service.web.schemas.parameters import HistoryQuery

HISTORY = HistoryQuery()


class KeyLookup(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunIdempotencyLookupResponse`."""

    idempotency_key: str
    """Idempotency key that was asked for."""
    request_hash: RequestHash
    rebalance_run_id: RunId
    created_at: str
    """Instant at which the key was used, in UTC."""


class KeyHistoryItem(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunIdempotencyHistoryItem`."""

    rebalance_run_id: RunId
    correlation_id: CorrelationId
    request_hash: RequestHash
    created_at: str
    """Instant at which the key was used, in UTC."""


class KeyHistory(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunIdempotencyHistoryResponse`, and a cursor where more runs follow."""

    idempotency_key: str
    """Idempotency key that was asked for."""
    history: list[KeyHistoryItem]
    """Runs that the key brought, oldest first."""
    next_cursor: NextCursor | None


async def get_simulation_key(request: web.Request) -> web.Response:
    """The run a simulate key stands for (RFC-0017)."""
    request.app[keys.GATES].require_support_apis()
    key = parameters.path_id(request, "idempotency_key", IdempotencyKeyNotFound)
    held = await request.app[keys.FLOWS].idempotency.get_simulation_key(key)
    lookup = KeyLookup(
        idempotency_key=held.idempotency_key,
        request_hash=held.request_hash,
        rebalance_run_id=held.rebalance_run_id,
        created_at=held.created_at.isoformat(),
    )
    return web.Response(body=msgspec.json.encode(lookup), content_type="application/json")


async def list_key_history(request: web.Request) -> web.Response:
    """The runs recorded under a simulate key, oldest first (HTTP contract 5.1)."""
    asked = parameters.read(request, HISTORY)
    gates = request.app[keys.GATES]
    gates.require_support_apis()
    gates.require_history_apis()
    key = parameters.path_id(request, "idempotency_key", IdempotencyKeyNotFound)
    uses = await request.app[keys.FLOWS].idempotency.list_history(key, **asked)
    return web.Response(body=msgspec.json.encode(history_of(key, uses)), content_type="application/json")


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
