"""Reads request bodies into values, without ever making a binary fraction of a number.

A typed decoder reads what follows the published shape to the letter. Whatever it refuses is read again
by the schema of that shape, which accepts the lenient spellings or says all that is wrong.

What callers send is held to bounds; what was stored is read without any. `plain` leaves the schema out, and
raises NotPlain instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

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


def _exact(kind: type[Value]) -> msgspec.json.Decoder[Value]:
    return msgspec.json.Decoder(kind, dec_hook=decode_hook, float_hook=Decimal)


_DECODERS: Mapping[type, msgspec.json.Decoder[Any]] = {
    RebalanceRequest: _exact(RebalanceRequest),
    BatchRebalanceRequest: _exact(BatchRebalanceRequest),
    ProposalSimulateRequest: _exact(ProposalSimulateRequest),
    ProposalCreateRequest: _exact(ProposalCreateRequest),
    ProposalVersionRequest: _exact(ProposalVersionRequest),
    ProposalStateTransitionRequest: msgspec.json.Decoder(ProposalStateTransitionRequest, float_hook=Decimal),
    ProposalApprovalRequest: msgspec.json.Decoder(ProposalApprovalRequest, float_hook=Decimal),
    WorkflowActionRequest: msgspec.json.Decoder(WorkflowActionRequest),
    PolicyPackUpsert: _exact(PolicyPackUpsert),
}

# A decoder and its hooks raise the first two families, an absurd exponent the third.
_REFUSALS = (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError)


@dataclass(frozen=True, slots=True)
class BodyReader(Generic[Value]):
    """Reads bodies of one type; a value, so that it may travel to an engine process.

    A strict reader refuses unknown keys (ruling 9). Only the schemas know these, so they read every body.
    """

    name: str
    kind: type[Value]
    schema: SchemaName
    is_strict: bool = False

    @property
    def strict(self) -> BodyReader[Value]:
        return replace(self, is_strict=True)

    @property
    def __name__(self) -> str:
        """What reading is called where work is measured."""
        return f"{self.name}_strict" if self.is_strict else self.name

    def __call__(self, body: bytes, *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False) -> Value:
        """Raises RequestInvalid, JsonTooDeep; NotPlain for what follows the shape not to the letter."""
        body = without_mark(body)
        if self.is_strict:
            if plain:
                raise NotPlain
            closed: Value = _explained(self.schema, parsed(text_of(body)), bounds, refuse_unknown=True)
            return closed
        text = text_of(body)
        # The typed decoder does not mind a NUL, which only this escape can spell.
        if b"\\u0000" not in body:
            try:
                read: Value = _DECODERS[self.kind].decode(body)
            except _REFUSALS:
                pass
            else:
                if bounds is None or holds(read, bounds):
                    return read
        if plain:
            raise NotPlain
        value: Value = _explained(self.schema, parsed(text), bounds)
        return value


@dataclass(frozen=True, slots=True)
class OptionsReader:
    """Reads the engine options of one scenario, which are read already as JSON."""

    is_strict: bool = False

    @property
    def strict(self) -> OptionsReader:
        return OptionsReader(is_strict=True)

    def __call__(
        self, options: Mapping[str, Any], *, bounds: Bounds | None = DEFAULT_BOUNDS, plain: bool = False
    ) -> EngineOptions:
        """Raises RequestInvalid; NotPlain as a reader of bodies."""
        if not self.is_strict and not free_faults(options):
            try:
                read = msgspec.convert(options, EngineOptions, dec_hook=decode_hook)
            except _REFUSALS:
                pass
            else:
                if bounds is None or holds(read, bounds):
                    return read
        if plain:
            raise NotPlain
        value: EngineOptions = _explained("engine_options", options, bounds, refuse_unknown=self.is_strict)
        return value


# The one simulation a body asks for.
decode_rebalance = BodyReader("decode_rebalance", RebalanceRequest, "rebalance_request")
# The scenarios a body asks for; their options stay as sent.
decode_batch = BodyReader("decode_batch", BatchRebalanceRequest, "batch_rebalance_request")
# The decision a body brings.
decode_action = BodyReader("decode_action", WorkflowActionRequest, "workflow_action_request")
# The proposal a body asks to simulate.
decode_proposal = BodyReader("decode_proposal", ProposalSimulateRequest, "proposal_simulate_request")
# The proposal a body asks to create.
decode_creation = BodyReader("decode_creation", ProposalCreateRequest, "proposal_create_request")
# The version a body brings.
decode_version = BodyReader("decode_version", ProposalVersionRequest, "proposal_version_request")
# The event a body asks for; numbers in its reason stay as sent.
decode_transition = BodyReader(
    "decode_transition", ProposalStateTransitionRequest, "proposal_state_transition_request"
)
# The approval a body brings; numbers in its details stay as sent.
decode_approval = BodyReader("decode_approval", ProposalApprovalRequest, "proposal_approval_request")
# The policy pack a body brings.
decode_policy_pack = BodyReader("decode_policy_pack", PolicyPackUpsert, "policy_pack_upsert")
# The engine options of one scenario.
decode_options = OptionsReader()


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
