"""Simulate, analyse, and look runs up."""

from __future__ import annotations

from functools import partial

import msgspec
from aiohttp import web

from service.domains.dpm_runs.values import DpmRun, RunFilter
from service.errors.dpm_runs import RunNotFound
from service.runtime import large_texts
from service.web import keys
from service.web.answers.dpm_runs import RunList, batch_answer, listed, lookup_of
from service.web.handlers.policy_packs import resolved, told
from service.web.requests import headers, parameters
from service.web.requests.callers import caller_of


async def simulate(request: web.Request) -> web.Response:
    """One simulation, recorded under its idempotency key (HTTP contract 4.1)."""
    faults = (
        headers.key_entries(request) + headers.correlation_entries(request) + headers.pack_entries(request)
    )
    body = await headers.json_body(request, faults)
    flow = request.app[keys.FLOWS].dpm_runs
    if faults:
        with parameters.together_with(faults):
            await flow.check_simulation(caller_of(request), body)
    resolution = await resolved(request, partial(flow.check_simulation, caller_of(request), body))
    admitted = await flow.simulate(
        caller_of(request),
        body,
        idempotency_key=request.headers[headers.KEY_HEADER],
        correlation_id=request[keys.CORRELATION_ID],
        pack=resolution.pack,
    )
    request[keys.RUN_ID] = admitted.run.rebalance_run_id
    answer = web.Response(body=admitted.run.result, content_type="application/json")
    if admitted.replayed:
        answer.headers["Idempotent-Replayed"] = "true"
    return told(answer, resolution)


async def analyze(request: web.Request) -> web.Response:
    """Named what-if scenarios over one book (HTTP contract 4.2)."""
    faults = headers.correlation_entries(request) + headers.pack_entries(request)
    body = await headers.json_body(request, faults)
    flow = request.app[keys.FLOWS].dpm_runs
    if faults:
        with parameters.together_with(faults):
            await flow.check_batch(caller_of(request), body)
    resolution = await resolved(request, partial(flow.check_batch, caller_of(request), body))
    sent = request[keys.CORRELATION_SENT]
    caller = caller_of(request)
    found = await flow.analyze(caller, body, correlation_id=sent or None, pack=resolution.pack)
    answer = await large_texts.where_large(found.bytes_count, batch_answer, found)
    return told(web.Response(body=answer, content_type="application/json"), resolution)


async def list_runs(request: web.Request) -> web.Response:
    """Runs, newest first, a page at a time (HTTP contract 5.1, 5.5)."""
    asked = request[keys.QUERY]
    limit, cursor = asked.pop("limit"), asked.pop("cursor")
    page = await request.app[keys.FLOWS].dpm_runs.list(
        caller_of(request), RunFilter(**asked), limit=limit, cursor=cursor
    )
    answer = RunList(items=[listed(run) for run in page.items], next_cursor=page.next_cursor)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


async def get_run(request: web.Request) -> web.Response:
    """One run with its full result."""
    run_id = parameters.path_id(request, "rebalance_run_id", RunNotFound)
    return await _found(await request.app[keys.FLOWS].dpm_runs.get(caller_of(request), run_id))


async def get_run_by_correlation(request: web.Request) -> web.Response:
    """The newest run of a correlation id."""
    correlation_id = parameters.path_id(request, "correlation_id", RunNotFound)
    return await _found(
        await request.app[keys.FLOWS].dpm_runs.get_newest_by_correlation(caller_of(request), correlation_id)
    )


async def get_run_by_request_hash(request: web.Request) -> web.Response:
    """The newest run of a request hash."""
    request_hash = parameters.path_id(request, "request_hash", RunNotFound)
    return await _found(
        await request.app[keys.FLOWS].dpm_runs.get_newest_by_request_hash(caller_of(request), request_hash)
    )


async def _found(run: DpmRun) -> web.Response:
    body = await large_texts.encoded(lookup_of(run), len(run.result))
    return web.Response(body=body, content_type="application/json")
