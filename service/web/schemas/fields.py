"""Schema fields that read JSON values as leniently as the contract says, and no more (1.1).

Each raises the contract's fault type as its message; the message texts are made where entries are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any

from marshmallow import ValidationError, fields

from service.domains.values.bounds import DEFAULT_BOUNDS, LABEL, Bounds, FreeBound, MapBound, TextBound
from service.domains.values.fields import FieldCheck, NoFraction
from service.domains.values.money import NumberRefused, exact_of
from service.web.requests.body_bounds import is_within
from service.web.schemas.entries import ENTRIES_MAX
from service.web.schemas.faults import (
    INTEGER_DIGITS_MAX,
    KEY,
    MapKey,
    Unreadable,
    broken_rule,
    check_fault,
    free_faults,
    outside,
    size_fault,
    text_fault,
    too_large,
    too_long,
)

_INTEGER = re.compile(rf"[ \t\r\n]*([+-]?[0-9]{{1,{INTEGER_DIGITS_MAX}}})(?:\.0+)?[ \t\r\n]*")

_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})


class FirstBroken:
    """A field's checks as one validator: the first that fails is the one reported."""

    def __init__(self, checks: Sequence[FieldCheck]) -> None:
        self.checks = checks

    def __call__(self, value: Any) -> Any:
        for check in self.checks:
            fault = check_fault(check, value)
            if fault is not None:
                raise ValidationError([fault])
        return value


def _faults(wrong_type: str) -> dict[str, Any]:
    return {"required": "missing", "null": wrong_type, "invalid": wrong_type}


class Text(fields.String):
    """A text within a bound; without bounds, as it was stored, of any length."""

    default_error_messages = _faults("string_type")

    def __init__(
        self, *, bound: TextBound = LABEL, bounds: Bounds | None = DEFAULT_BOUNDS, **options: Any
    ) -> None:
        super().__init__(**options)
        self.bound = bound
        self.bounds = bounds

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if type(value) is not str:
            raise self.make_error("invalid")
        fault = text_fault(value)
        if fault is None and self.bounds is not None:
            fault = size_fault(value, self.bound, self.bounds)
        if fault is not None:
            raise ValidationError([fault])
        return value


class Flag(fields.Boolean):
    default_error_messages = _faults("bool_type")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        match value:
            case bool():
                return value
            case str() if value.lower() in _TRUE:
                return True
            case str() if value.lower() in _FALSE:
                return False
            case int() | Decimal() if value == 0 or value == 1:
                return value == 1
            case Decimal() if value != value.to_integral_value():
                raise self.make_error("invalid")
            case str() | int() | Decimal():
                raise ValidationError("bool_parsing")
            case _:
                raise self.make_error("invalid")


class Whole(fields.Integer):
    default_error_messages = _faults("int_type")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        match value:
            case int():
                return int(value)
            case str():
                digits = _INTEGER.fullmatch(value)
                if digits is None:
                    raise ValidationError("int_parsing")
                return int(digits[1])
            case Decimal() if value != value.to_integral_value():
                raise ValidationError("int_from_float")
            case Decimal() if value.adjusted() < INTEGER_DIGITS_MAX:
                return int(value)
            case Decimal() | Unreadable(fault="decimal_parsing"):
                raise ValidationError("int_parsing")
            case _:
                raise self.make_error("invalid")


class ExactNumber(fields.Decimal):
    default_error_messages = _faults("decimal_type")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        if isinstance(value, Unreadable):
            raise ValidationError(value.fault)
        try:
            return exact_of(value)
        except NumberRefused as refused:
            raise ValidationError(refused.fault.value) from None


class Choice(fields.String):
    """One of a closed vocabulary: text to text, or text to the member that the text names."""

    def __init__(self, kind: str, values: Mapping[str, str | Enum], **options: Any) -> None:
        self.values = values
        fault = outside(kind, tuple(values))
        super().__init__(
            error_messages={"required": "missing", "null": [fault], "invalid": [fault]}, **options
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if type(value) is not str or value not in self.values:
            raise self.make_error("invalid")
        return self.values[value]


class NestedObject(fields.Nested):
    default_error_messages = _faults("model_attributes_type")


class ListOf(fields.List[Any]):
    """A list; one that is too long is refused before any item is looked at."""

    default_error_messages = _faults("list_type")

    def __init__(self, inner: fields.Field[Any], *, items_max: int | None, **options: Any) -> None:
        super().__init__(inner, **options)
        self.items_max = items_max

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if type(value) is not list:
            raise self.make_error("invalid")
        if self.items_max is not None and len(value) > self.items_max:
            raise ValidationError([too_long("List", len(value), self.items_max)])
        read: list[Any] = []
        found: dict[int, Any] = {}
        for at, item in enumerate(value):
            try:
                read.append(self.inner.deserialize(item, **kwargs))
            except ValidationError as refused:
                found[at] = refused.messages
                if len(found) > ENTRIES_MAX:
                    break
        if found:
            raise ValidationError(found)
        return tuple(read)


class MapOf(fields.Dict):
    """A map from texts; one that is too long is refused before any entry is looked at."""

    default_error_messages = _faults("dict_type")

    def __init__(self, *, bound: MapBound, bounds: Bounds | None, **options: Any) -> None:
        super().__init__(**options)
        self.bound = bound
        self.bounds = bounds

    def _key_fault(self, key: str) -> Any:
        fault = text_fault(key)
        if fault is None and self.bounds is not None and self.bound.key is not None:
            return size_fault(key, self.bound.key, self.bounds)
        return fault

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise self.make_error("invalid")
        if self.bounds is not None and len(value) > self.bound.entries_max:
            raise ValidationError([too_long("Dictionary", len(value), self.bound.entries_max)])
        assert self.value_field is not None
        read: dict[str, Any] = {}
        found: dict[str, Any] = {}
        for key, item in value.items():
            fault = self._key_fault(key)
            if fault is not None:
                found[MapKey(key)] = {KEY: [fault]}
                continue
            try:
                read[key] = self.value_field.deserialize(item, **kwargs)
            except ValidationError as refused:
                found[MapKey(key)] = refused.messages
            if len(found) > ENTRIES_MAX:
                break
        if found:
            raise ValidationError(found)
        return read


class FreeMap(fields.Dict):
    """A map of any JSON, passed on as it is; what is too large, or what no store can hold, is refused."""

    default_error_messages = _faults("dict_type")

    def __init__(self, *, bound: FreeBound | None, **options: Any) -> None:
        super().__init__(**options)
        self.bound = bound

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise self.make_error("invalid")
        if self.bound is not None and not is_within(self.bound, value):
            raise ValidationError([too_large(self.bound)])
        found = free_faults(value)
        if found:
            raise ValidationError(found)
        return value


class Unfractioned(fields.Field[Any]):
    """Another field, which is not asked when its number came as a JSON fraction."""

    def __init__(self, inner: fields.Field[Any], rule: NoFraction) -> None:
        super().__init__(
            required=inner.required,
            allow_none=inner.allow_none,
            metadata=inner.metadata,
            error_messages={"required": "missing"},
        )
        self.inner = inner
        self.rule = rule

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        number = value
        if self.rule.member is not None and type(value) is dict:
            number = value.get(self.rule.member)
        if type(number) is Decimal:
            raise ValidationError([broken_rule(self.rule.text)])
        return self.inner.deserialize(value, attr, data, **kwargs)
