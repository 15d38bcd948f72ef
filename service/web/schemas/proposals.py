"""Schemas of what an adviser sends, and of what can be asked about proposals."""

from __future__ import annotations

from marshmallow import ValidationError

from service.domains.proposals.requests import (
    ProposalApprovalRequest,
    ProposalCreateRequest,
    ProposalSimulateRequest,
    ProposalStateTransitionRequest,
    ProposalVersionRequest,
)
from service.domains.values.bounds import CURSOR, DEFAULT_BOUNDS, OPEN_ID, Bounds
from service.domains.values.fields import Bound
from service.errors.requests import RequestInvalid
from service.web.schemas.derive import StructSchema, loader_of
from service.web.schemas.entries import entry
from service.web.schemas.fields import FirstBroken, Flag, Whole
from service.web.schemas.parameters import AskedText, Count, Instant, QuerySchema

LIMIT_DEFAULT = 20
LIMIT_MAX = 100

VERSION_NO = "version_no"


def proposal_simulate_request(
    *, refuse_unknown: bool = False, bounds: Bounds | None = DEFAULT_BOUNDS
) -> StructSchema:
    return loader_of(ProposalSimulateRequest, refuse_unknown, bounds)


def proposal_create_request(
    *, refuse_unknown: bool = False, bounds: Bounds | None = DEFAULT_BOUNDS
) -> StructSchema:
    return loader_of(ProposalCreateRequest, refuse_unknown, bounds)


def proposal_version_request(
    *, refuse_unknown: bool = False, bounds: Bounds | None = DEFAULT_BOUNDS
) -> StructSchema:
    return loader_of(ProposalVersionRequest, refuse_unknown, bounds)


def proposal_state_transition_request(
    *, refuse_unknown: bool = False, bounds: Bounds | None = DEFAULT_BOUNDS
) -> StructSchema:
    return loader_of(ProposalStateTransitionRequest, refuse_unknown, bounds)


def proposal_approval_request(
    *, refuse_unknown: bool = False, bounds: Bounds | None = DEFAULT_BOUNDS
) -> StructSchema:
    return loader_of(ProposalApprovalRequest, refuse_unknown, bounds)


class ProposalListQuery(QuerySchema):
    """What the list of proposals can be asked for; a state outside the vocabulary matches nothing."""

    portfolio_id = AskedText(OPEN_ID, load_default=None)
    state = AskedText(load_default=None)
    created_by = AskedText(OPEN_ID, load_default=None)
    created_from = Instant(load_default=None)
    created_to = Instant(load_default=None)
    limit = Count("limit", least=1, most=LIMIT_MAX, default=LIMIT_DEFAULT)
    cursor = AskedText(CURSOR, load_default=None)


class EvidenceQuery(QuerySchema):
    """Evidence is shown unless it is said otherwise."""

    include_evidence = Flag(load_default=True)


class VersionPath(QuerySchema):
    """The number of a version as a path names it."""

    version_no = Whole(required=True, validate=FirstBroken([Bound(VERSION_NO, ge=1)]))


_VERSION_PATH = VersionPath()


def version_no_of(text: str) -> int:
    """The number of a version that a path names. Raises RequestInvalid."""
    try:
        number: int = _VERSION_PATH.load({VERSION_NO: text})[VERSION_NO]
    except ValidationError as refused:
        faults = refused.messages_dict[VERSION_NO]
        raise RequestInvalid([entry(fault, ("path", VERSION_NO), text) for fault in faults]) from None
    return number
