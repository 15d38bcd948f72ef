"""Proposals that are simulated, answered and not kept for long (HTTP contract 6.2)."""

from __future__ import annotations

from aiohttp import web

from service.flows.proposals.simulations import Response
from service.web import keys
from service.web.requests import headers, parameters


async def simulate(request: web.Request) -> web.Response:
    """What the cash flows and trades of an adviser come to."""
    body = await _read(request)
    flow = request.app[keys.FLOWS].proposal_simulations
    return answer_of(
        await flow.simulate(
            body,
            idempotency_key=request.headers[headers.KEY_HEADER],
            correlation_id=request[keys.CORRELATION_ID],
        )
    )


async def build_artifact(request: web.Request) -> web.Response:
    """The same, packed as an artifact; a key is the same key at both."""
    body = await _read(request)
    flow = request.app[keys.FLOWS].proposal_simulations
    return answer_of(
        await flow.build_artifact(
            body,
            idempotency_key=request.headers[headers.KEY_HEADER],
            correlation_id=request[keys.CORRELATION_ID],
        )
    )


def answer_of(answered: Response) -> web.Response:
    """The bytes of an answer; one that was given before says so."""
    answer = web.Response(body=answered.body, content_type="application/json")
    if answered.replayed:
        answer.headers["Idempotent-Replayed"] = "true"
    return answer


async def _read(request: web.Request) -> bytes:
    """The body, where nothing is wrong with the headers; else raises all that is wrong with both."""
    faults = headers.key_entries(request) + headers.correlation_entries(request)
    body = await headers.json_body(request, faults)
    if faults:
        with parameters.together_with(faults):
            await request.app[keys.FLOWS].proposal_simulations.check(body)
    return body
