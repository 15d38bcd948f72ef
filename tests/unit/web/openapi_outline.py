"""Lays an OpenAPI document out as lines, so that two can be compared wherever they say the same differently.

What only explains (descriptions, examples, extensions) is left out. Alternatives are sorted, whether they are
written as a list of types or as `anyOf`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from service.web.openapi import numbers

Line = tuple[str, str]

# Between a place and what is inside it.
INSIDE = " / "

SCHEMAS = "#/components/schemas/"

# What a keyword says something about. How long texts, lists and maps are at most is left out: the published
# document says it of none and ours of all (ruling 17), as test_bounds has it.
STRING = frozenset({"pattern", "format"})
NUMBER = frozenset({"minimum", "maximum", "exclusiveMinimum"})
OBJECT = frozenset({"propertyNames", "minProperties"})
SIZES = frozenset({"minLength", "maxLength", "maxItems", "maxProperties"})

PATTERN_NAMES = {
    numbers.ANY: "ANY",
    numbers.NOT_NEGATIVE: "NOT_NEGATIVE",
    numbers.POSITIVE: "POSITIVE",
    numbers.SHARE: "SHARE",
}


def deviations(ours: Mapping[str, Any], published: Mapping[str, Any]) -> set[str]:
    """Each place where the documents differ: what only one of them has, and what each says instead.

    Nothing is said of what is inside a place that only one of them has.
    """
    we_say, they_say = dict(lines_of(ours)), dict(lines_of(published))
    found = {f"+ {place}: {we_say[place]}" for place in _only_in(we_say, they_say)}
    found |= {f"- {place}: {they_say[place]}" for place in _only_in(they_say, we_say)}
    for place in we_say.keys() & they_say.keys():
        if we_say[place] != they_say[place]:
            found.add(f"~ {place}: {they_say[place]} => {we_say[place]}")
    return found


def _only_in(these: Mapping[str, str], those: Mapping[str, str]) -> Iterator[str]:
    for place in these.keys() - those.keys():
        around = place.rpartition(INSIDE)[0]
        while around and (around not in these or around in those):
            around = around.rpartition(INSIDE)[0]
        if not around:
            yield place


def lines_of(document: Mapping[str, Any]) -> Iterator[Line]:
    yield "openapi", document["openapi"]
    yield "version", document["info"]["version"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from _operation_lines(f"{method.upper()} {path}", operation)
    for name, schema in document["components"]["schemas"].items():
        yield from _component_lines(name, schema)


def _operation_lines(place: str, operation: Mapping[str, Any]) -> Iterator[Line]:
    yield place, f"{operation['operationId']} in {', '.join(operation['tags'])}"
    for parameter in operation.get("parameters", ()):
        named = f"{place}{INSIDE}{parameter['in']} {parameter['name']}"
        required = "required" if parameter["required"] else "optional"
        yield named, f"{required} {_text_of(parameter['schema'])}{_default_of(parameter['schema'])}"
    if "requestBody" in operation:
        yield f"{place}{INSIDE}body", _content_of(operation["requestBody"])
    for status, response in operation["responses"].items():
        yield f"{place}{INSIDE}{status}", _content_of(response)
        for header in response.get("headers", ()):
            yield f"{place}{INSIDE}{status}{INSIDE}{header}", "header"


def _content_of(message: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{media_type} {_text_of(content.get('schema', {}))}"
        for media_type, content in sorted(message.get("content", {}).items())
    )


def _component_lines(name: str, schema: Mapping[str, Any]) -> Iterator[Line]:
    if "properties" not in schema:
        yield name, _text_of(schema)
        return
    yield name, schema["type"]
    required = schema.get("required", ())
    for key, value in schema["properties"].items():
        place = f"{name}{INSIDE}{key}"
        yield place, f"{_text_of(value)}{_default_of(value)}"
        yield f"{place}{INSIDE}presence", "always" if key in required else "optional"


def _default_of(schema: Mapping[str, Any]) -> str:
    return f" or else {schema['default']}" if "default" in schema else ""


def _text_of(schema: Any) -> str:
    return " | ".join(sorted(set(_alternatives(schema)))) or "anything"


def _alternatives(schema: Any) -> Iterator[str]:
    if schema is True:
        yield "anything"
        return
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _alternatives(part)
    if "discriminator" in schema:
        yield f"by {schema['discriminator']['propertyName']}"
    if "$ref" in schema:
        yield schema["$ref"].removeprefix(SCHEMAS)
    kinds = schema.get("type", ())
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        yield _kind_text(kind, schema)


def _kind_text(kind: str, schema: Mapping[str, Any]) -> str:
    match kind:
        case "array":
            return f"list of ({_text_of(schema.get('items', {}))})"
        case "object":
            return f"map of ({_text_of(schema.get('additionalProperties', {}))}){_said(schema, OBJECT)}"
        case "string" if "const" in schema:
            return repr(schema["const"])
        case "string" if "enum" in schema:
            return "one of " + ", ".join(sorted(word for word in schema["enum"] if word is not None))
        case "string":
            return f"string{_said(schema, STRING)}"
        case "number" | "integer":
            return f"{kind}{_said(schema, NUMBER)}"
        case _:
            return kind


def _said(schema: Mapping[str, Any], keywords: frozenset[str]) -> str:
    said = [
        f"{word} {_value_text(schema[word])}"
        for word in sorted(keywords & schema.keys())
        if word != "propertyNames" or schema[word].keys() - SIZES
    ]
    return f" with {', '.join(said)}" if said else ""


def _value_text(value: Any) -> str:
    if isinstance(value, str):
        return PATTERN_NAMES.get(value, value)
    if isinstance(value, dict):
        return str({word: said for word, said in value.items() if word not in SIZES})
    if isinstance(value, int | float):
        return str(int(value)) if value == int(value) else str(value)
    return str(value)
