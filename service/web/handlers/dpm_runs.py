"""Simulate, analyse, and look runs up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn

import msgspec
from aiohttp import web

from service.domains.dpm_runs import DpmRun
from service.errors import RequestInvalid
from service.web import keys, reading

Check = Callable[[bytes], Awaitable[None]]


class RunLookup(msgspec.Struct, frozen=True, kw_only=True):
    """`DpmRunLookupResponse`; the result is the stored bytes."""

    rebalance_run_id: str
    correlation_id: str
    request_hash: str
    idempotency_key: str | None
    portfolio_id: str
    created_at: str
    result: msgspec.Raw


async def simulate(request: web.Request) -> web.Response:
    """One simulation, recorded under its idempotency key (HTTP contract 4.1)."""
    body = await reading.json_body(request)
    flow = request.app[keys.DPM_RUNS]
    faults = reading.key_entries(request) + reading.correlation_entries(request)
    if faults:
        await _refuse_with_body(flow.check_simulation, body, faults)
    admitted = await flow.simulate(
        body,
        idempotency_key=request.headers[reading.KEY_HEADER],
        correlation_id=request[keys.CORRELATION_ID],
    )
    answer = web.Response(body=admitted.run.result, content_type="application/json")
    if admitted.replayed:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


async def analyze(request: web.Request) -> web.Response:
    """Named what-if scenarios over one book (HTTP contract 4.2)."""
    body = await reading.json_body(request)
    flow = request.app[keys.DPM_RUNS]
    faults = reading.correlation_entries(request)
    if faults:
        await _refuse_with_body(flow.check_batch, body, faults)
    sent = request[keys.CORRELATION_SENT]
    answer = await flow.analyze(body, correlation_id=sent or None)
    return web.Response(body=answer, content_type="application/json")


async def get_run(request: web.Request) -> web.Response:
    """One run with its full result."""
    request.app[keys.GATES].require_support_apis()
    run = await request.app[keys.DPM_RUNS].get(reading.path_text(request, "rebalance_run_id"))
    return _found(run)


async def get_run_by_correlation(request: web.Request) -> web.Response:
    """The newest run of a correlation id."""
    request.app[keys.GATES].require_support_apis()
    correlation_id = reading.path_text(request, "correlation_id")
    return _found(await request.app[keys.DPM_RUNS].get_newest_by_correlation(correlation_id))


def _found(run: DpmRun) -> web.Response:
    lookup = RunLookup(
        rebalance_run_id=run.rebalance_run_id,
        correlation_id=run.correlation_id,
        request_hash=run.request_hash,
        idempotency_key=run.idempotency_key,
        portfolio_id=run.portfolio_id,
        created_at=run.created_at.isoformat(),
        result=msgspec.Raw(run.result),
    )
    return web.Response(body=msgspec.json.encode(lookup), content_type="application/json")


async def _refuse_with_body(check: Check, body: bytes, faults: list[reading.Entry]) -> NoReturn:
    # One answer lists what is wrong everywhere, headers before body; broken JSON comes before all (2.2).
    try:
        await check(body)
    except RequestInvalid as refused:
        if refused.entries[0]["type"] == "json_invalid":
            raise
        faults = [*faults, *refused.entries]
    raise RequestInvalid(faults)
