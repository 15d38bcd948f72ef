"""What happened to a proposal, what a key stands for, and how proposals are set up (HTTP contract 6.5)."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.errors.proposals import ProposalKeyNotFound
from service.web import keys
from service.web.answers.proposals.proposals import (
    answer_approvals,
    answer_key,
    answer_lineage,
    answer_timeline,
)
from service.web.answers.proposals.support import SupportabilityConfig
from service.web.handlers.proposals.proposals import json_of, proposal_id_of
from service.web.requests import parameters
from service.web.requests.callers import caller_of


async def get_config(request: web.Request) -> web.Response:
    """Which store there is and whether it answers; never gated, and never refused."""
    gates = request.app[keys.GATES]
    found = await request.app[keys.FLOWS].proposal_support.describe(caller_of(request))
    config = SupportabilityConfig(
        store_backend=found.store_backend,
        backend_ready=found.store_error is None,
        backend_init_error=found.store_error,
        lifecycle_enabled=gates.proposals_enabled,
        support_apis_enabled=gates.proposal_support_apis_enabled,
        async_operations_enabled=gates.proposal_operations_enabled,
        store_evidence_bundle=found.rules.evidence_kept,
        require_expected_state=found.rules.expected_state_required,
        allow_portfolio_id_change_on_new_version=found.rules.portfolio_may_change,
        require_proposal_simulation_flag=found.rules.simulation_flag_required,
    )
    return json_of(msgspec.json.encode(config))


async def list_events(request: web.Request) -> web.Response:
    """The events of a proposal, oldest first."""
    asked = request[keys.QUERY]
    flow, proposal_id = request.app[keys.FLOWS].proposals, proposal_id_of(request)
    found = await flow.list_events(caller_of(request), proposal_id, **asked)
    return json_of(answer_timeline(found.proposal, found.events))


async def list_approvals(request: web.Request) -> web.Response:
    """What was approved of a proposal and what was not, oldest first."""
    asked = request[keys.QUERY]
    flow, proposal_id = request.app[keys.FLOWS].proposals, proposal_id_of(request)
    return json_of(
        answer_approvals(proposal_id, await flow.list_approvals(caller_of(request), proposal_id, **asked))
    )


async def get_lineage(request: web.Request) -> web.Response:
    """The versions of a proposal, with their hashes."""
    asked = request[keys.QUERY]
    flow, proposal_id = request.app[keys.FLOWS].proposals, proposal_id_of(request)
    return json_of(answer_lineage(await flow.get_lineage(caller_of(request), proposal_id, **asked)))


async def get_key(request: web.Request) -> web.Response:
    """The proposal that a key of a creation stands for."""
    key = parameters.path_id(request, "idempotency_key", ProposalKeyNotFound)
    return json_of(answer_key(await request.app[keys.FLOWS].proposals.get_key(caller_of(request), key)))
