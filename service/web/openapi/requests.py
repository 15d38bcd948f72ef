"""Turns the schemas that read requests into the schemas that are published.

The library knows the fields by what they extend; what ours read beyond that is added here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import fields

from service.domains.policy_packs import ConstraintPolicy, TurnoverPolicy
from service.domains.proposals.requests import ProposedTrade, TradeNotional
from service.domains.rebalances.options import (
    EngineOptions,
    GroupConstraint,
    SuitabilityThresholds,
    TargetMethod,
    ValuationMode,
)
from service.domains.rebalances.requests import SCENARIOS_MAX, BatchRebalanceRequest
from service.domains.values.bounds import FreeBound, TextBound
from service.domains.values.fields import Check, Checked, FieldRule, WholeRule
from service.domains.values.published import request_name
from service.domains.values.texts import text_of_field
from service.web.openapi import numbers
from service.web.requests.body_bounds import totals_of
from service.web.schemas.derive import StructSchema
from service.web.schemas.fields import Choice, ExactNumber, FreeMap, ListOf, MapOf, Text, Unfractioned

SHARE: Mapping[str, Any] = {"minimum": 0, "maximum": 1}
# What is said of the keys of a map.
NAMES = "propertyNames"
GROUP_NAMES: Mapping[str, Any] = {NAMES: {"pattern": "^[^:]+:[^:]+$"}}

# What the rules of a field mean for its published schema; a rule across fields is only described.
RULES: Mapping[tuple[type, str], Mapping[str, Any]] = {
    (GroupConstraint, "max_weight"): SHARE,
    (EngineOptions, "max_turnover_pct"): SHARE,
    (EngineOptions, "max_overdraft_by_ccy"): {
        "propertyNames": {"minLength": 1},
        "additionalProperties": numbers.in_request({"minimum": 0}),
    },
    (EngineOptions, "group_constraints"): GROUP_NAMES,
    (ConstraintPolicy, "group_constraints"): GROUP_NAMES,
    (TurnoverPolicy, "max_turnover_pct"): SHARE,
    (SuitabilityThresholds, "max_weight_by_liquidity_tier"): {
        "propertyNames": {"enum": ["L1", "L2", "L3", "L4", "L5"]},
        "additionalProperties": numbers.in_request(SHARE),
    },
    (BatchRebalanceRequest, "scenarios"): {
        "minProperties": 1,
        "maxProperties": SCENARIOS_MAX,
        "propertyNames": {"pattern": r"^[a-z0-9_\-]{1,64}$"},
    },
    # The rule of the whole trade is that of the one number inside.
    (ProposedTrade, "notional"): {},
    (TradeNotional, "amount"): {"exclusiveMinimum": 0},
}

# Vocabularies that are published by a name of their own.
NAMED_CHOICES: Mapping[type[Enum], str] = {ValuationMode: "ValuationMode", TargetMethod: "TargetMethod"}


def plugin() -> MarshmallowPlugin:
    """The library's plugin; to be given to a document, and then to `teach`."""
    return MarshmallowPlugin(schema_name_resolver=name_of)


def teach(converter: OpenAPIConverter) -> None:
    """Makes the plugin's converter publish our fields as they read."""
    converter.add_attribute_function(published)  # type: ignore[no-untyped-call]


def name_of(schema: Any) -> str:
    struct = schema.struct
    return request_name(struct)


def published(self: OpenAPIConverter, field: fields.Field[Any], ret: dict[str, Any]) -> dict[str, Any]:
    """Corrects in place what the library made of a field; gives nothing to add."""
    if isinstance(field, Unfractioned):
        ret.update(self.field2property(field.inner))
        if isinstance(field.inner, ExactNumber):
            _publish_number(ret, field, fraction=False)
    elif isinstance(field, ExactNumber):
        _publish_number(ret, field, fraction=True)
    elif isinstance(field, Choice):
        _publish_choice(ret, field)
    elif isinstance(field, FreeMap):
        ret["additionalProperties"] = True
    _publish_size(ret, field)
    if not isinstance(field, ExactNumber | Unfractioned):
        for word, said in _rule_of(field).items():
            ret[word] = {**ret.get(word, {}), **said} if word == NAMES else said
    if text := _text_of(field):
        ret["description"] = text
    if "example" in ret:
        ret["examples"] = [ret.pop("example")]
    # Generators take neither; that a field is optional says what is meant.
    if ret.get("default") is None or isinstance(ret["default"], dict | list | tuple):
        ret.pop("default", None)
    return {}


def description_of(struct: type) -> str:
    """What a type says of itself, and the rules across its fields."""
    said = (struct.__doc__ or "").strip()
    rules = [f"Rule: {check.text}." for check in checks_of(struct) if isinstance(check, WholeRule)]
    rules += [f"Rule: {total.text}." for total in totals_of(struct)]
    return "\n\n".join(filter(None, [said, *rules]))


def unpublished_rules(struct: type) -> list[str]:
    """The fields of a type with a rule that says nothing in the published schema."""
    return [
        check.field
        for check in checks_of(struct)
        if isinstance(check, FieldRule) and (struct, check.field) not in RULES
    ]


def checks_of(struct: type) -> tuple[Check, ...]:
    return struct.CHECKS if issubclass(struct, Checked) else ()


def _rule_of(field: fields.Field[Any]) -> Mapping[str, Any]:
    parent = field.parent
    if isinstance(parent, StructSchema) and field.name is not None:
        return RULES.get((parent.struct, field.name), {})
    return {}


def _text_of(field: fields.Field[Any]) -> str:
    parent = field.parent
    if isinstance(parent, StructSchema) and field.name is not None:
        names = {each.encode_name: each.name for each in msgspec.structs.fields(parent.struct)}
        return text_of_field(parent.struct, names[field.name]).markdown
    return ""


def _publish_number(ret: dict[str, Any], field: fields.Field[Any], *, fraction: bool) -> None:
    limits = {**field.metadata, **_rule_of(field)}
    for name in ("format", *numbers.BOUNDS):
        ret.pop(name, None)
    ret.update(numbers.in_request(limits, fraction=fraction, nullable=field.allow_none))


def _publish_size(ret: dict[str, Any], field: fields.Field[Any]) -> None:
    match field:
        case Text(bound=bound):
            ret.update(size_of(bound))
        case ListOf(items_max=int(most)):
            ret["maxItems"] = most
        case MapOf(bound=bound):
            ret["maxProperties"] = bound.entries_max
            if bound.key is not None:
                ret[NAMES] = size_of(bound.key)
        case FreeMap(bound=FreeBound(members_max=most)):
            ret["maxProperties"] = most


def size_of(bound: TextBound) -> dict[str, Any]:
    """What is published of the bound of a text."""
    said = {"maxLength": bound.characters_max}
    return {"minLength": bound.characters_min, **said} if bound.characters_min else said


def _publish_choice(ret: dict[str, Any], field: Choice) -> None:
    members = list(field.values.values())
    default = ret.get("default")
    if isinstance(field.load_default, Enum):
        default = field.load_default.value
    if default is not None:
        ret["default"] = default
    named = NAMED_CHOICES.get(type(members[0]))  # type: ignore[arg-type]
    if named is not None:
        del ret["type"]
        ret["$ref"] = f"#/components/schemas/{named}"
    elif len(members) == 1:
        ret["const"] = members[0]
    else:
        ret["enum"] = [*field.values, *([None] if field.allow_none else [])]
