"""Derives the published schemas of answers from the types that are encoded.

Everything an answer has is always there, so all of it is required; what is not known is null. Where a field
holds the stored bytes of a document, its annotation says which document it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import inspect

from service.domains.proposals.results import ProposedTradeIntent
from service.domains.rebalances.results import intents
from service.domains.rebalances.results.intents import INTENT_TYPE
from service.domains.values.money import Exact
from service.domains.values.published import DOCUMENT, answer_name, is_published_once
from service.domains.values.texts import text_of_field, text_of_name
from service.web.openapi import numbers

NULL = {"type": "null"}

# One name stands for the trades of both engines; that of the adviser leaves more open.
PUBLISHED_AS: Mapping[type, type] = {intents.SecurityTradeIntent: ProposedTradeIntent}


class Answers:
    """Component schemas by name; each type that is asked for brings those it is made of."""

    def __init__(self) -> None:
        self.schemas: dict[str, dict[str, Any]] = {}
        self._structs: dict[str, type] = {}

    def reference(self, wanted: Any) -> dict[str, Any]:
        """The schema of a type, which refers to components."""
        return self._schema(inspect.type_info(wanted))

    def _schema(self, kind: inspect.Type) -> dict[str, Any]:
        match kind:
            case inspect.Metadata(extra={"document": published}):
                return self.reference(published)
            case inspect.Metadata(type=inner, extra_json_schema=extra):
                return {**self._schema(inner), **(extra or {})}
            case inspect.StrType() | inspect.BoolType() | inspect.IntType() | inspect.DecimalType():
                return _plain(kind)
            case inspect.CustomType(cls=cls) if cls is Exact:
                return numbers.in_answer()
            case inspect.EnumType(cls=cls):
                return {"type": "string", "enum": [member.value for member in cls]}
            case inspect.LiteralType(values=(str(word),)):
                return {"type": "string", "const": word}
            case inspect.LiteralType(values=words):
                return {"type": "string", "enum": list(words)}
            case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
                return {"type": "array", "items": self._schema(item)}
            case inspect.DictType(value_type=inspect.AnyType()):
                return {"type": "object", "additionalProperties": True}
            case inspect.DictType(value_type=value):
                return {"type": "object", "additionalProperties": self._schema(value)}
            case inspect.UnionType(types=parts):
                return self._union(parts)
            case inspect.StructType():
                return self._component(kind)
            case inspect.AnyType():
                return {}
        raise TypeError(f"no published schema for {kind!r}")

    def _union(self, parts: tuple[inspect.Type, ...]) -> dict[str, Any]:
        known = [part for part in parts if not isinstance(part, inspect.NoneType)]
        schemas = [self._schema(part) for part in known]
        nullable = len(known) < len(parts)
        if len(schemas) == 1:
            return _or_null(schemas[0]) if nullable else schemas[0]
        assert not nullable, parts
        tags = {
            part.tag: schema["$ref"]
            for part, schema in zip(known, schemas, strict=True)
            if isinstance(part, inspect.StructType)
        }
        if not tags:
            return {"anyOf": schemas}
        assert len(tags) == len(known), parts
        return {"oneOf": schemas, "discriminator": {"propertyName": INTENT_TYPE, "mapping": tags}}

    def _component(self, kind: inspect.StructType) -> dict[str, Any]:
        struct = PUBLISHED_AS.get(kind.cls, kind.cls)
        name = answer_name(struct)
        if name not in self._structs and not is_published_once(struct):
            self._structs[name] = struct
            self.schemas[name] = self._object(struct)
        assert self._structs.get(name, struct) is struct, f"{name} would name two types"
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, struct: type) -> dict[str, Any]:
        kind = inspect.type_info(struct)
        assert isinstance(kind, inspect.StructType)
        properties: dict[str, Any] = {}
        if kind.tag_field is not None:
            properties[kind.tag_field] = _tag(kind)
        always = list(properties)
        for field in kind.fields:
            schema = self._schema(field.type)
            if text := text_of_field(struct, field.name).markdown:
                schema = {**schema, "description": text}
            properties[field.encode_name] = schema
            if _is_document(field.type) or _is_always_there(struct, field):
                always.append(field.encode_name)
        whole: dict[str, Any] = {"type": "object", "properties": properties, "required": always}
        if own := _said_of(struct):
            whole["description"] = own
        return whole


def _tag(kind: inspect.StructType) -> dict[str, Any]:
    assert kind.tag_field == INTENT_TYPE, kind
    text = text_of_name(intents, "INTENT_TYPE")
    own = replace(text, codes={str(kind.tag): text.codes[str(kind.tag)]})
    return {"type": "string", "const": kind.tag, "description": own.markdown}


def _is_document(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.Metadata) and DOCUMENT in (kind.extra or {})


def _is_always_there(struct: type, field: inspect.Field) -> bool:
    # A field that may be unset is neither required nor has a default.
    has_default = not (field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT)
    left_out = issubclass(struct, msgspec.Struct) and struct.__struct_config__.omit_defaults
    return field.required or (has_default and not left_out)


def _said_of(struct: type) -> str:
    return (struct.__dict__.get("__doc__") or "").strip()


def _plain(kind: inspect.Type) -> dict[str, Any]:
    match kind:
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType():
            return {"type": "integer"}
        case inspect.DecimalType():
            return numbers.in_answer()
    return {"type": "string"}


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"anyOf": [dict(schema), NULL]}
    nullable = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable
