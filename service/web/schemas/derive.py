"""Derives the schema of a value from its type, so that each is declared once, as the value.

A type's fields, defaults, examples and CHECKS become schema fields; what the type refuses as a
whole, the schema refuses when it builds the value. A type this cannot express is a bug found at once.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin

import msgspec
from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load, validates_schema
from msgspec import Meta

from service.domains.values.bounds import (
    DEFAULT_BOUNDS,
    Bounds,
    FreeBound,
    ListBound,
    MapBound,
    SizeBound,
    TextBound,
)
from service.domains.values.fields import Bound, Check, Checked, FieldCheck, NoFraction, Pattern, WholeRule
from service.domains.values.money import Exact, ExactText
from service.web.requests.body_bounds import size_bound_of, totals_of
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
    bounds: ClassVar[Bounds | None]

    @post_load
    def build(self, data: dict[str, Any], **_: Any) -> msgspec.Struct:
        try:
            value = self.struct(**data)
        except ValueError as refused:
            # Every field is right by itself by now, so this is a rule across them.
            raise ValidationError([broken_rule(str(refused))]) from None
        if self.bounds is not None:
            for total in totals_of(self.struct):
                if total.count(value) > total.most:
                    raise ValidationError([broken_rule(total.text)])
        return value


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
    return _derived(struct, refuse_unknown, DEFAULT_BOUNDS)


# Positional only: a cache takes one call that is spelt in two ways for two calls.
@cache
def loader_of(
    struct: type[msgspec.Struct], refuse_unknown: bool, bounds: Bounds | None = DEFAULT_BOUNDS, /
) -> StructSchema:
    """An instance of the schema, which keeps no state between values; without bounds, for what was stored."""
    return _derived(struct, refuse_unknown, bounds)()


@cache
def _derived(
    struct: type[msgspec.Struct], refuse_unknown: bool, bounds: Bounds | None, /
) -> type[StructSchema]:
    base = ClosedStructSchema if refuse_unknown else StructSchema
    checks: tuple[Check, ...] = struct.CHECKS if issubclass(struct, Checked) else ()
    members: dict[str, Any] = {
        "__doc__": struct.__doc__,
        "__module__": __name__,
        "struct": struct,
        "bounds": bounds,
    }
    readers = _Readers(refuse_unknown, bounds)
    for info in msgspec.structs.fields(struct):
        own = tuple(
            check
            for check in checks
            if not isinstance(check, WholeRule | NoFraction) and check.field == info.name
        )
        field = readers.field(info, own)
        for check in checks:
            if isinstance(check, NoFraction) and check.field == info.name:
                field = Unfractioned(field, check)
        members[info.encode_name] = field
    return type(struct.__name__, (base,), members)


@dataclass(frozen=True, slots=True)
class _Readers:
    """Makes the fields of a schema."""

    refuse_unknown: bool
    bounds: Bounds | None

    def field(self, info: msgspec.structs.FieldInfo, checks: tuple[FieldCheck, ...]) -> fields.Field[Any]:
        options: dict[str, Any] = {"required": info.required, "metadata": _metadata(info, checks)}
        if checks:
            options["validate"] = FirstBroken(checks)
        return self.reader(_without_meta(info.type), size_bound_of(info.type), options)

    def reader(self, wanted: Any, bound: SizeBound | None, options: dict[str, Any]) -> fields.Field[Any]:
        """The field for a type with this bound beside it. Raises TypeError for a type that no field reads."""
        parts = get_args(wanted)
        match get_origin(wanted):
            case origin if origin in (types.UnionType, Union) and parts[1:] == (types.NoneType,):
                return self.reader(parts[0], bound, {**options, "allow_none": True})
            case origin if origin is Literal:
                return Choice("literal_error", {word: word for word in parts}, **options)
            case origin if origin is tuple and parts[1:] == (...,) and isinstance(bound, ListBound):
                most = None if self.bounds is None else bound.items_max
                return ListOf(self.inner(parts[0], None), items_max=most, **options)
            case origin if origin is dict and parts == (str, Any) and isinstance(bound, FreeBound):
                return FreeMap(bound=None if self.bounds is None else bound, **options)
            case origin if origin is dict and parts[0] is str and isinstance(bound, MapBound):
                values = self.inner(parts[1], bound.value)
                return MapOf(bound=bound, bounds=self.bounds, values=values, **options)
        return self.single(wanted, bound, options)

    def inner(self, wanted: Any, bound: SizeBound | None) -> fields.Field[Any]:
        return self.reader(_without_meta(wanted), bound, {"required": True})

    def single(self, wanted: Any, bound: SizeBound | None, options: dict[str, Any]) -> fields.Field[Any]:
        if wanted in _PLAIN:
            return _PLAIN[wanted](**options)
        if wanted is str and isinstance(bound, TextBound):
            return Text(bound=bound, bounds=self.bounds, **options)
        if isinstance(wanted, type) and issubclass(wanted, Enum):
            return Choice("enum", {member.value: member for member in wanted}, **options)
        if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
            return NestedObject(_derived(wanted, self.refuse_unknown, self.bounds), **options)
        raise TypeError(f"no schema field reads {wanted!r} with {bound!r} beside it")


def _metadata(info: msgspec.structs.FieldInfo, checks: tuple[FieldCheck, ...]) -> dict[str, Any]:
    described: dict[str, Any] = {}
    if get_origin(info.type) is Annotated:
        for meta in get_args(info.type)[1:]:
            if isinstance(meta, Meta) and meta.examples:
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
