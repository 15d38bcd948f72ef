"""Schemas of what an adviser sends."""

from __future__ import annotations

from service.domains.proposal_requests import ProposalSimulateRequest
from service.web.schemas.derive import StructSchema, loader_of


def proposal_simulate_request(*, refuse_unknown: bool = False) -> StructSchema:
    return loader_of(ProposalSimulateRequest, refuse_unknown)
