"""What an idempotency key stands for, and all it ever stood for."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.errors.idempotency import IdempotencyKeyNotFound
from service.web import keys
from service.web.answers.idempotency import KeyLookup, history_of
from service.web.requests import parameters
from service.web.requests.callers import caller_of


async def get_simulation_key(request: web.Request) -> web.Response:
    """The run a simulate key stands for (RFC-0017)."""
    key = parameters.path_id(request, "idempotency_key", IdempotencyKeyNotFound)
    held = await request.app[keys.FLOWS].idempotency.get_simulation_key(caller_of(request), key)
    lookup = KeyLookup(
        idempotency_key=held.idempotency_key,
        request_hash=held.request_hash,
        rebalance_run_id=held.rebalance_run_id,
        created_at=held.created_at.isoformat(),
    )
    return web.Response(body=msgspec.json.encode(lookup), content_type="application/json")


async def list_key_history(request: web.Request) -> web.Response:
    """The runs recorded under a simulate key, oldest first (HTTP contract 5.1)."""
    asked = request[keys.QUERY]
    key = parameters.path_id(request, "idempotency_key", IdempotencyKeyNotFound)
    uses = await request.app[keys.FLOWS].idempotency.list_history(caller_of(request), key, **asked)
    return web.Response(body=msgspec.json.encode(history_of(key, uses)), content_type="application/json")
