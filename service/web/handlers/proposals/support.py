"""What happened to a proposal, what a key stands for, and how proposals are set up (HTTP contract 6.5)."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.errors.proposals import ProposalKeyNotFound
from service.web import keys
from service.web.handlers.proposals.proposals import json_of, proposal_id_of
from service.web.requests import parameters
from service.web.schemas.parameters import HistoryQuery, VersionHistoryQuery

HISTORY = HistoryQuery()
VERSIONS = VersionHistoryQuery()


class SupportabilityConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`ProposalSupportabilityConfigResponse`."""

    store_backend: str
    """Store that proposals are kept in."""
    backend_ready: bool
    """Whether the store answers."""
    backend_init_error: str | None
    """Code that callers are refused with while it does not; null where it does."""
    lifecycle_enabled: bool
    """Whether proposals can be created and changed."""
    support_apis_enabled: bool
    """Whether keys, lineage and this answer can be looked up."""
    async_operations_enabled: bool
    """Whether proposals can be created in the background."""
    store_evidence_bundle: bool
    """Whether the evidence of a version is kept beside its artifact."""
    require_expected_state: bool
    """Whether a change has to name the state or the revision that its caller saw."""
    allow_portfolio_id_change_on_new_version: bool
    """Whether a version may be about another portfolio than its proposal."""
    require_proposal_simulation_flag: bool
    """Whether requests have to set `enable_proposal_simulation`."""


async def get_config(request: web.Request) -> web.Response:
    """Which store there is and whether it answers; never gated, and never refused."""
    gates = request.app[keys.GATES]
    found = await request.app[keys.FLOWS].proposal_support.describe()
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
    asked = parameters.read(request, HISTORY)
    _require_open(request)
    return json_of(await request.app[keys.FLOWS].proposals.list_events(proposal_id_of(request), **asked))


async def list_approvals(request: web.Request) -> web.Response:
    """What was approved of a proposal and what was not, oldest first."""
    asked = parameters.read(request, HISTORY)
    _require_open(request)
    return json_of(await request.app[keys.FLOWS].proposals.list_approvals(proposal_id_of(request), **asked))


async def get_lineage(request: web.Request) -> web.Response:
    """The versions of a proposal, with their hashes."""
    asked = parameters.read(request, VERSIONS)
    _require_open(request)
    return json_of(await request.app[keys.FLOWS].proposals.get_lineage(proposal_id_of(request), **asked))


async def get_key(request: web.Request) -> web.Response:
    """The proposal that a key of a creation stands for."""
    _require_open(request)
    key = parameters.path_id(request, "idempotency_key", ProposalKeyNotFound)
    return json_of(await request.app[keys.FLOWS].proposals.get_key(key))


def _require_open(request: web.Request) -> None:
    gates = request.app[keys.GATES]
    gates.require_proposals()
    gates.require_proposal_support()
