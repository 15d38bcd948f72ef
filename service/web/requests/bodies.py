"""Reads request bodies into values, without ever making a binary fraction of a number.

A typed decoder reads what follows the published shape to the letter. Whatever it refuses is read again
by the schema of that shape, which accepts the lenient spellings or says all that is wrong.

What callers send is held to bounds; what was stored is read without any. `plain` leaves the schema out, and
raises NotPlain instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, TypeVar

import msgspec

from service.domains.policy_packs import PolicyPackUpsert
from service.domains.proposals.requests import (
    ProposalApprovalRequest,
    ProposalCreateRequest,
    ProposalSimulateRequest,
    ProposalStateTransitionRequest,
    ProposalVersionRequest,
)
from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.requests import BatchRebalanceRequest, RebalanceRequest
from service.domains.values.bounds import DEFAULT_BOUNDS, Bounds
from service.domains.values.money import decode_hook
from service.domains.workflow_decisions import WorkflowActionRequest
from service.errors.families import NotPlain
from service.errors.requests import RequestInvalid
from service.web.requests.body_bounds import holds
from service.web.requests.json_texts import parsed, text_of, without_mark
from service.web.schemas.entries import entries_of, entry
from service.web.schemas.faults import free_faults

SchemaName = Literal[
    "rebalance_request",
    "batch_rebalance_request",
    "engine_options",
    "workflow_action_request",
    "proposal_simulate_request",
    "proposal_create_request",
    "proposal_version_request",
    "proposal_state_transition_request",
    "proposal_approval_request",
    "policy_pack_upsert",
]

Value = TypeVar("Value", bound=msgspec.Struct)

_REBALANCE = msgspec.json.Decoder(RebalanceRequest, dec_hook=decode_hook, float_hook=Decimal)
_BATCH = msgspec.json.Decoder(BatchRebalanceRequest, dec_hook=decode_hook, float_hook=Decimal)
_PROPOSAL = msgspec.json.Decoder(ProposalSimulateRequest, dec_hook=decode_hook, float_hook=Decimal)
_CREATION = msgspec.json.Decoder(ProposalCreateRequest, dec_hook=decode_hook, float_hook=Decimal)
_VERSION = msgspec.json.Decoder(ProposalVersionRequest, dec_hook=decode_hook, float_hook=Decimal)
_TRANSITION = msgspec.json.Decoder(ProposalStateTransitionRequest, float_hook=Decimal)
_APPROVAL = msgspec.json.Decoder(ProposalApprovalRequest, float_hook=Decimal)
_ACTION = msgspec.json.Decoder(WorkflowActionRequest)
_PACK = msgspec.json.Decoder(PolicyPackUpsert, dec_hook=decode_hook, float_hook=Decimal)

# A decoder and its hooks raise the first two families, an absurd exponent the third.
_REFUSALS = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)


def decode_rebalance(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> RebalanceRequest:
    """The one simulation a body asks for. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _REBALANCE, "rebalance_request", bounds, plain)


def decode_batch(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> BatchRebalanceRequest:
    """The scenarios a body asks for; their options stay as sent. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _BATCH, "batch_rebalance_request", bounds, plain)


def decode_options(
    options: Mapping[str, Any], *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> EngineOptions:
    """The engine options of one scenario. Raises RequestInvalid."""
    if not free_faults(options):
        try:
            read = msgspec.convert(options, EngineOptions, dec_hook=decode_hook)
        except _REFUSALS:
            pass
        else:
            if bounds is None or holds(read, bounds):
                return read
    if plain:
        raise NotPlain
    value: EngineOptions = _explained("engine_options", options, bounds)
    return value


def decode_action(body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS) -> WorkflowActionRequest:
    """The decision a body brings. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _ACTION, "workflow_action_request", bounds)


def decode_proposal(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> ProposalSimulateRequest:
    """The proposal a body asks to simulate. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _PROPOSAL, "proposal_simulate_request", bounds, plain)


def decode_creation(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> ProposalCreateRequest:
    """The proposal a body asks to create. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _CREATION, "proposal_create_request", bounds, plain)


def decode_version(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> ProposalVersionRequest:
    """The version a body brings. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _VERSION, "proposal_version_request", bounds, plain)


def decode_transition(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> ProposalStateTransitionRequest:
    """The event a body asks for; numbers in its reason stay as sent. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _TRANSITION, "proposal_state_transition_request", bounds, plain)


def decode_approval(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> ProposalApprovalRequest:
    """The approval a body brings; numbers in its details stay as sent. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _APPROVAL, "proposal_approval_request", bounds, plain)


def decode_policy_pack(body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS) -> PolicyPackUpsert:
    """The policy pack a body brings. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _PACK, "policy_pack_upsert", bounds)


# The strict twins refuse unknown keys (ruling 9). Only the schemas know these, so they read every body.


def decode_rebalance_strict(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> RebalanceRequest:
    """As decode_rebalance, but an unknown key is refused."""
    value: RebalanceRequest = _closed(body, "rebalance_request", bounds, plain)
    return value


def decode_batch_strict(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> BatchRebalanceRequest:
    """As decode_batch, but an unknown key is refused."""
    value: BatchRebalanceRequest = _closed(body, "batch_rebalance_request", bounds, plain)
    return value


def decode_options_strict(
    options: Mapping[str, Any], *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> EngineOptions:
    """As decode_options, but an unknown key is refused."""
    if plain:
        raise NotPlain
    value: EngineOptions = _explained("engine_options", options, bounds, refuse_unknown=True)
    return value


def decode_action_strict(body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS) -> WorkflowActionRequest:
    """As decode_action, but an unknown key is refused."""
    value: WorkflowActionRequest = _closed(body, "workflow_action_request", bounds)
    return value


def decode_proposal_strict(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> ProposalSimulateRequest:
    """As decode_proposal, but an unknown key is refused."""
    value: ProposalSimulateRequest = _closed(body, "proposal_simulate_request", bounds, plain)
    return value


def decode_creation_strict(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> ProposalCreateRequest:
    """As decode_creation, but an unknown key is refused."""
    value: ProposalCreateRequest = _closed(body, "proposal_create_request", bounds, plain)
    return value


def decode_version_strict(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> ProposalVersionRequest:
    """As decode_version, but an unknown key is refused."""
    value: ProposalVersionRequest = _closed(body, "proposal_version_request", bounds, plain)
    return value


def decode_transition_strict(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> ProposalStateTransitionRequest:
    """As decode_transition, but an unknown key is refused."""
    value: ProposalStateTransitionRequest = _closed(body, "proposal_state_transition_request", bounds, plain)
    return value


def decode_approval_strict(
    body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
) -> ProposalApprovalRequest:
    """As decode_approval, but an unknown key is refused."""
    value: ProposalApprovalRequest = _closed(body, "proposal_approval_request", bounds, plain)
    return value


def decode_policy_pack_strict(body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS) -> PolicyPackUpsert:
    """As decode_policy_pack, but an unknown key is refused."""
    value: PolicyPackUpsert = _closed(body, "policy_pack_upsert", bounds)
    return value


def _decoded(
    body: bytes,
    decoder: msgspec.json.Decoder[Value],
    schema: SchemaName,
    bounds: Bounds | None,
    plain: bool = False,
) -> Value:
    body = without_mark(body)
    text = text_of(body)
    # The typed decoder does not mind a NUL, which only this escape can spell.
    if b"\\u0000" not in body:
        try:
            read = decoder.decode(body)
        except _REFUSALS:
            pass
        else:
            if bounds is None or holds(read, bounds):
                return read
    if plain:
        raise NotPlain
    value: Value = _explained(schema, parsed(text), bounds)
    return value


def _closed(body: bytes, schema: SchemaName, bounds: Bounds | None, plain: bool = False) -> Any:
    if plain:
        raise NotPlain
    return _explained(schema, parsed(text_of(without_mark(body))), bounds, refuse_unknown=True)


def _explained(
    schema: SchemaName, received: Any, bounds: Bounds | None, *, refuse_unknown: bool = False
) -> Any:
    # Bodies that follow the shape to the letter never pay for loading the schema library.
    from marshmallow import ValidationError

    from service.web.schemas import dpm_runs, policy_packs, proposals, workflow_decisions

    if received is None:
        raise RequestInvalid([entry("missing", ("body",), None)])
    nouns = (dpm_runs, workflow_decisions, proposals, policy_packs)
    noun = next(each for each in nouns if hasattr(each, schema))
    try:
        return getattr(noun, schema)(refuse_unknown=refuse_unknown, bounds=bounds).load(received)
    except ValidationError as refused:
        raise RequestInvalid(entries_of(refused.messages, received)) from None
