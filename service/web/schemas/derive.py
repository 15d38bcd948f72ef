"""Derives the schema of a value from its type, so that each is declared once, as the value.

A type's fields, defaults, descriptions and CHECKS become schema fields; what the type refuses as a
whole, the schema refuses when it builds the value. A type this cannot express is a bug found at once.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import msgspec
from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates_schema

from service.domains.fields import Bound, Check, Checked, FieldCheck, NoFraction, Pattern, WholeRule
from service.domains.money import Exact, ExactText
from service.web.schemas.faults import MapKey, broken_rule
from service.web.schemas.fields import (
    Choice,
    ExactNumber,
    FirstBroken,
    Flag,
    FreeMap,
    ListOf,
    MapOf,
    NestedObject,
    Text,
    Unfractioned,
    Whole,
)

_PLAIN: dict[Any, Callable[..., fields.Field[Any]]] = {
    str: Text,
    int: Whole,
    bool: Flag,
    Exact: ExactNumber,
    ExactText: ExactNumber,
}


class StructSchema(Schema):
    """Reads one type of value; unknown keys are ignored."""

    class Meta:
        unknown = EXCLUDE
        register = False

    error_messages: ClassVar[dict[str, str]] = {"type": "model_attributes_type"}  # type: ignore[misc]
    struct: ClassVar[type[msgspec.Struct]]

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> msgspec.Struct:
        try:
            return self.struct(**data)
        except ValueError as refused:
            # Every field is right by itself by now, so this is a rule across them.
            raise ValidationError([broken_rule(str(refused))]) from None


class ClosedStructSchema(StructSchema):
    """Reads one type of value; unknown keys are refused."""

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def refuse_unknown(self, data: Any, original: Any, **_: Any) -> None:
        if not isinstance(original, Mapping):
            return
        found = {MapKey(key): ["extra_forbidden"] for key in original if key not in self.fields}
        if found:
            raise ValidationError(found)


def schema_of(struct: type[msgspec.Struct], *, refuse_unknown: bool = False) -> type[StructSchema]:
    """The schema that reads JSON values into values of the type, and describes them; always the same one."""
    return _derived(struct, refuse_unknown)


# Positional only: a cache takes one call that is spelt in two ways for two calls.
@cache
def loader_of(struct: type[msgspec.Struct], refuse_unknown: bool, /) -> StructSchema:
    """An instance of the schema, which keeps no state between values."""
    return _derived(struct, refuse_unknown)()


@cache
def _derived(struct: type[msgspec.Struct], refuse_unknown: bool, /) -> type[StructSchema]:
    base = ClosedStructSchema if refuse_unknown else StructSchema
    checks: tuple[Check, ...] = struct.CHECKS if issubclass(struct, Checked) else ()
    members: dict[str, Any] = {"__doc__": struct.__doc__, "__module__": __name__, "struct": struct}
    for info in msgspec.structs.fields(struct):
        own = tuple(
            check
            for check in checks
            if not isinstance(check, WholeRule | NoFraction) and check.field == info.name
        )
        field = _field(info, own, refuse_unknown)
        for check in checks:
            if isinstance(check, NoFraction) and check.field == info.name:
                field = Unfractioned(field, check)
        members[info.encode_name] = field
    return type(struct.__name__, (base,), members)


def _field(
    info: msgspec.structs.FieldInfo, checks: tuple[FieldCheck, ...], refuse_unknown: bool
) -> fields.Field[Any]:
    options: dict[str, Any] = {"required": info.required, "metadata": _metadata(info, checks)}
    if checks:
        options["validate"] = FirstBroken(checks)
    return _reader(_without_meta(info.type), options, refuse_unknown)


def _metadata(info: msgspec.structs.FieldInfo, checks: tuple[FieldCheck, ...]) -> dict[str, Any]:
    described: dict[str, Any] = {}
    if get_origin(info.type) is Annotated:
        for meta in get_args(info.type)[1:]:
            if meta.description is not None:
                described["description"] = meta.description
            if meta.examples:
                described["example"] = meta.examples[0]
    for check in checks:
        if isinstance(check, Bound):
            limits = {"minimum": check.ge, "maximum": check.le, "exclusiveMinimum": check.gt}
            described |= {name: limit for name, limit in limits.items() if limit is not None}
        elif isinstance(check, Pattern):
            described["pattern"] = check.pattern
    if info.default is not msgspec.NODEFAULT:
        described["default"] = msgspec.to_builtins(info.default)
    elif info.default_factory is not msgspec.NODEFAULT:
        described["default"] = msgspec.to_builtins(info.default_factory())
    return described


def _without_meta(wanted: Any) -> Any:
    return get_args(wanted)[0] if get_origin(wanted) is Annotated else wanted


def _reader(wanted: Any, options: dict[str, Any], refuse_unknown: bool) -> fields.Field[Any]:
    def inner(part: Any) -> fields.Field[Any]:
        return _reader(_without_meta(part), {"required": True}, refuse_unknown)

    if wanted in _PLAIN:
        return _PLAIN[wanted](**options)
    parts = get_args(wanted)
    match get_origin(wanted):
        case origin if origin in (types.UnionType, Union) and parts[1:] == (types.NoneType,):
            return _reader(parts[0], {**options, "allow_none": True}, refuse_unknown)
        case origin if origin is Literal:
            return Choice("literal_error", {word: word for word in parts}, **options)
        case origin if origin is tuple and parts[1:] == (...,):
            return ListOf(inner(parts[0]), **options)
        case origin if origin is dict and parts == (str, Any):
            return FreeMap(**options)
        case origin if origin is dict and parts[0] is str:
            return MapOf(values=inner(parts[1]), **options)
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return Choice("enum", {member.value: member for member in wanted}, **options)
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return NestedObject(_derived(wanted, refuse_unknown), **options)
    raise TypeError(f"no schema field reads {wanted!r}")
