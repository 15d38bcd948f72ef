"""Reads request bodies into values, without ever making a binary fraction of a number.

A typed decoder reads what follows the published shape to the letter. Whatever it refuses is read again
by the schema of that shape, which accepts the lenient spellings or says all that is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeVar

import msgspec

from service.domains.money import decode_hook
from service.domains.options import EngineOptions
from service.domains.policy_packs import PolicyPackUpsert
from service.domains.proposal_requests import (
    ProposalApprovalRequest,
    ProposalCreateRequest,
    ProposalSimulateRequest,
    ProposalStateTransitionRequest,
    ProposalVersionRequest,
)
from service.domains.rebalances import BatchRebalanceRequest, RebalanceRequest
from service.domains.workflow_decisions import WorkflowActionRequest
from service.errors import JsonTooDeep, RequestInvalid
from service.web.schemas.entries import entries_of, entry
from service.web.schemas.faults import INTEGER_DIGITS_MAX, MESSAGES, Fault, Unreadable, free_faults

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

Value = TypeVar("Value")

# Deeper than any published shape, and well inside what every parser takes on any stack.
LEVELS_MAX = 64

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


def decode_rebalance(body: bytes) -> RebalanceRequest:
    """The one simulation a body asks for. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _REBALANCE, "rebalance_request")


def decode_batch(body: bytes) -> BatchRebalanceRequest:
    """The scenarios a body asks for; their options stay as sent. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _BATCH, "batch_rebalance_request")


def decode_options(options: Mapping[str, Any]) -> EngineOptions:
    """The engine options of one scenario. Raises RequestInvalid."""
    if not free_faults(options):
        try:
            return msgspec.convert(options, EngineOptions, dec_hook=decode_hook)
        except _REFUSALS:
            pass
    value: EngineOptions = _explained("engine_options", options)
    return value


def decode_action(body: bytes) -> WorkflowActionRequest:
    """The decision a body brings. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _ACTION, "workflow_action_request")


def decode_proposal(body: bytes) -> ProposalSimulateRequest:
    """The proposal a body asks to simulate. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _PROPOSAL, "proposal_simulate_request")


def decode_creation(body: bytes) -> ProposalCreateRequest:
    """The proposal a body asks to create. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _CREATION, "proposal_create_request")


def decode_version(body: bytes) -> ProposalVersionRequest:
    """The version a body brings. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _VERSION, "proposal_version_request")


def decode_transition(body: bytes) -> ProposalStateTransitionRequest:
    """The event a body asks for; numbers in its reason stay as sent. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _TRANSITION, "proposal_state_transition_request")


def decode_approval(body: bytes) -> ProposalApprovalRequest:
    """The approval a body brings; numbers in its details stay as sent. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _APPROVAL, "proposal_approval_request")


def decode_policy_pack(body: bytes) -> PolicyPackUpsert:
    """The policy pack a body brings. Raises RequestInvalid, JsonTooDeep."""
    return _decoded(body, _PACK, "policy_pack_upsert")


# The strict twins refuse unknown keys (ruling 9). Only the schemas know these, so they read every body.


def decode_rebalance_strict(body: bytes) -> RebalanceRequest:
    """As decode_rebalance, but an unknown key is refused."""
    value: RebalanceRequest = _closed(body, "rebalance_request")
    return value


def decode_batch_strict(body: bytes) -> BatchRebalanceRequest:
    """As decode_batch, but an unknown key is refused."""
    value: BatchRebalanceRequest = _closed(body, "batch_rebalance_request")
    return value


def decode_options_strict(options: Mapping[str, Any]) -> EngineOptions:
    """As decode_options, but an unknown key is refused."""
    value: EngineOptions = _explained("engine_options", options, refuse_unknown=True)
    return value


def decode_action_strict(body: bytes) -> WorkflowActionRequest:
    """As decode_action, but an unknown key is refused."""
    value: WorkflowActionRequest = _closed(body, "workflow_action_request")
    return value


def decode_proposal_strict(body: bytes) -> ProposalSimulateRequest:
    """As decode_proposal, but an unknown key is refused."""
    value: ProposalSimulateRequest = _closed(body, "proposal_simulate_request")
    return value


def decode_creation_strict(body: bytes) -> ProposalCreateRequest:
    """As decode_creation, but an unknown key is refused."""
    value: ProposalCreateRequest = _closed(body, "proposal_create_request")
    return value


def decode_version_strict(body: bytes) -> ProposalVersionRequest:
    """As decode_version, but an unknown key is refused."""
    value: ProposalVersionRequest = _closed(body, "proposal_version_request")
    return value


def decode_transition_strict(body: bytes) -> ProposalStateTransitionRequest:
    """As decode_transition, but an unknown key is refused."""
    value: ProposalStateTransitionRequest = _closed(body, "proposal_state_transition_request")
    return value


def decode_approval_strict(body: bytes) -> ProposalApprovalRequest:
    """As decode_approval, but an unknown key is refused."""
    value: ProposalApprovalRequest = _closed(body, "proposal_approval_request")
    return value


def decode_policy_pack_strict(body: bytes) -> PolicyPackUpsert:
    """As decode_policy_pack, but an unknown key is refused."""
    value: PolicyPackUpsert = _closed(body, "policy_pack_upsert")
    return value


def _decoded(body: bytes, decoder: msgspec.json.Decoder[Value], schema: SchemaName) -> Value:
    text = _text(body)
    # The typed decoder does not mind a NUL, which only this escape can spell.
    if b"\\u0000" not in body:
        try:
            return decoder.decode(body)
        except _REFUSALS:
            pass
    value: Value = _explained(schema, _parsed(text))
    return value


def _closed(body: bytes, schema: SchemaName) -> Any:
    return _explained(schema, _parsed(_text(body)), refuse_unknown=True)


def _explained(schema: SchemaName, received: Any, *, refuse_unknown: bool = False) -> Any:
    # Bodies that follow the shape to the letter never pay for loading the schema library.
    from marshmallow import ValidationError

    from service.web.schemas import dpm_runs, policy_packs, proposals, workflow_decisions

    if received is None:
        raise RequestInvalid([entry("missing", ("body",), None)])
    nouns = (dpm_runs, workflow_decisions, proposals, policy_packs)
    noun = next(each for each in nouns if hasattr(each, schema))
    try:
        return getattr(noun, schema)(refuse_unknown=refuse_unknown).load(received)
    except ValidationError as refused:
        raise RequestInvalid(entries_of(refused.messages, received)) from None


def _text(body: bytes) -> str:
    """The text of a body that a parser may see: the typed one does not look into what it skips."""
    try:
        text = body.decode()
    except UnicodeDecodeError as refused:
        # The contract counts characters, the exception bytes.
        raise _not_json("Invalid UTF-8", len(body[: refused.start].decode())) from None
    refuse_depth(body)
    return text


def _parsed(text: str) -> Any:
    """The JSON value of a body, None when it is empty; a number that has no value is Unreadable."""
    if text == "":
        return None
    try:
        return json.loads(text, parse_float=_fraction, parse_int=_integer, parse_constant=_constant)
    except json.JSONDecodeError as refused:
        raise _not_json(refused.msg, refused.pos) from None


def _not_json(reason: str, at: int) -> RequestInvalid:
    fault = Fault("json_invalid", MESSAGES["json_invalid"], {"error": reason})
    return RequestInvalid([entry(fault, ("body", at), {})])


def _fraction(text: str) -> Decimal | Unreadable:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Unreadable(text, "decimal_parsing")


def _integer(text: str) -> int | Unreadable:
    if len(text) > INTEGER_DIGITS_MAX:
        return Unreadable(text, "decimal_parsing")
    return int(text)


def _constant(text: str) -> Unreadable:
    return Unreadable(text, "finite_number")


# Brackets of both kinds become parentheses; all but them and the quotes is dropped.
_BRACKETS = bytes.maketrans(b"[{]}", b"(())")
_NO_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_STRING = re.compile(rb'"[^"]*(?:"|\Z)')


def refuse_depth(body: bytes) -> None:
    """Raises JsonTooDeep for a body that nests deeper than LEVELS_MAX, well-formed or not.

    Answers alike on every interpreter and stack, before any parser that recurses sees the body.
    """
    if b"\\" in body:
        # An escaped quote ends no string; an escaped backslash escapes nothing.
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    skeleton = body.translate(_BRACKETS, _NO_STRUCTURE)
    # Two quotes in a row enclose no bracket, whether they belong to one string or to two.
    skeleton = skeleton.replace(b'""', b"")
    if b'"' in skeleton:
        skeleton = _STRING.sub(b"", skeleton)
    left = _peeled(skeleton)
    # What no bracket closes is as deep as if the end of the body closed it.
    unclosed = left.count(b"(")
    if 0 < unclosed <= LEVELS_MAX:
        left = _peeled(skeleton + b")" * unclosed)
    if b"(" in left:
        raise JsonTooDeep(levels_max=LEVELS_MAX)


def _peeled(skeleton: bytes) -> bytes:
    for _ in range(LEVELS_MAX):
        if b"()" not in skeleton:
            break
        skeleton = skeleton.replace(b"()", b"")
    return skeleton
