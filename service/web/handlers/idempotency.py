"""What an idempotency key stands for."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.web import keys, reading


class KeyLookup(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunIdempotencyLookupResponse`."""

    idempotency_key: str
    request_hash: str
    rebalance_run_id: str
    created_at: str


async def get_simulation_key(request: web.Request) -> web.Response:
    """The run a simulate key stands for (RFC-0017)."""
    request.app[keys.GATES].require_support_apis()
    key = reading.path_text(request, "idempotency_key")
    held = await request.app[keys.IDEMPOTENCY].get_simulation_key(key)
    lookup = KeyLookup(
        idempotency_key=held.idempotency_key,
        request_hash=held.request_hash,
        rebalance_run_id=held.rebalance_run_id,
        created_at=held.created_at.isoformat(),
    )
    return web.Response(body=msgspec.json.encode(lookup), content_type="application/json")
