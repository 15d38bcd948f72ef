"""Everything that travels has a text: properties, parameters, headers, values and codes; and none is idle."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from service.domains import operations
from service.domains.values.texts import text_of_class
from service.errors.families import ServiceError
from service.web.openapi.document import OPERATIONS, document
from service.web.openapi.problems import all_refusals
from service.web.schemas.faults import MESSAGES
from tests.conftest import ROOT

Json = dict[str, Any]

MADE: Json = json.loads(json.dumps(document()))
SCHEMAS: dict[str, Json] = MADE["components"]["schemas"]

# Words that say nothing beside a name.
IDLE = frozenset({"a", "an", "the", "this", "that", "of", "is", "it", "its", "value", "field"})
CODE_LISTED = re.compile(r"^- `([^`]+)`: (.*)$", re.MULTILINE)
# A word of capitals; what has no underscore may be a currency or an abbreviation.
CODE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
CODE_BEGUN = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*_")

# Constants that no answer shows: names of Python, and parts that codes are put together from.
NOT_SHOWN = {"ENGINE_VERSION", "DQ|MISSING_", "MISSING_SHELF"}


def properties() -> Iterator[tuple[str, str, Json]]:
    for component, schema in SCHEMAS.items():
        for name, found in schema.get("properties", {}).items():
            yield component, name, found


def values_of(schema: Json) -> list[str]:
    """The words that a property can be, whichever way that is published."""
    found = [word for word in schema.get("enum", ()) if word is not None]
    found += [schema["const"]] if isinstance(schema.get("const"), str) else []
    for part in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
        found += values_of(part)
    if "$ref" in schema and "properties" not in (named := SCHEMAS[schema["$ref"].rpartition("/")[2]]):
        found += values_of(named)
    return found


def listed(text: str) -> dict[str, str]:
    return {code: words for code, words in CODE_LISTED.findall(text)}


def words_of(text: str) -> set[str]:
    return {word.removesuffix("s") for word in re.findall(r"[a-z]+", text.lower())}


def says_more(name: str, text: str) -> bool:
    """Whether a text has a word beside those of the name."""
    told = words_of(CODE_LISTED.sub("", text)) - {word.removesuffix("s") for word in IDLE}
    return bool(told - words_of(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ")))


def is_sentence(text: str) -> bool:
    first = text.partition("\n\n")[0]
    return first[:1] == first[:1].upper() and first.endswith((".", ")"))


def fault_of(name: str, text: str) -> str | None:
    """What is wrong with the text of something of that name."""
    if not text:
        return f"{name} has no text: say in a docstring below it what it means"
    if not says_more(name.rpartition(".")[2], text):
        return f"{name} only repeats its name: {text!r}"
    return None if is_sentence(text) else f"{name} has no sentence: {text!r}"


def test_properties_are_described() -> None:
    found = [
        fault_of(f"{component}.{name}", schema.get("description", ""))
        for component, name, schema in properties()
    ]
    assert len(found) > 800
    assert list(filter(None, found)) == []


def test_values_and_codes_of_properties_are_described() -> None:
    found: list[str | None] = []
    for component, name, schema in properties():
        told = listed(schema.get("description", ""))
        for value in sorted({*values_of(schema), *told}):
            found.append(fault_of(f"{component}.{name}, where it is {value}", told.get(value, "")))
            if value in told and not says_more(value, told[value]):
                found.append(f"{component}.{name}: {value} is only repeated: {told[value]!r}")
    assert len(found) > 300
    assert list(filter(None, found)) == []


def test_components_are_described() -> None:
    assert {name for name, schema in SCHEMAS.items() if not schema.get("description")} == set()
    named = {name: schema for name, schema in SCHEMAS.items() if "enum" in schema}
    assert named
    for name, schema in named.items():
        assert listed(schema["description"]).keys() == set(schema["enum"]), name


def test_parameters_and_headers_are_described() -> None:
    parameters = [
        parameter
        for path in MADE["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", ())
    ]
    assert len(parameters) > 100
    for parameter in parameters:
        name, text = parameter["name"], parameter["description"]
        assert says_more(name, text) and is_sentence(text), (name, text)
        told = listed(text)
        assert all(told.get(word) for word in values_of(parameter["schema"])), (name, text)
    for name, header in MADE["components"]["headers"].items():
        assert says_more(name.replace("-", "_"), header["description"]), name
        assert is_sentence(header["description"]), name


def refusals(family: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    for kind in family.__subclasses__():
        yield from (kind, *refusals(kind))


@pytest.mark.parametrize("kind", sorted(set(refusals()), key=lambda kind: kind.__name__))
def test_an_error_is_described(kind: type[ServiceError]) -> None:
    text = text_of_class(kind)
    assert text and text.endswith("."), f"say in the docstring of {kind.__name__} when it is answered"
    assert says_more(kind.__name__, text), text


def test_a_problem_lists_the_codes_that_are_answered() -> None:
    told = listed(SCHEMAS["Problem"]["properties"]["code"]["description"])
    answered = {kind.code for each in OPERATIONS for kind in all_refusals(each)}
    shown = {
        code
        for path in MADE["paths"].values()
        for operation in path.values()
        for response in operation["responses"].values()
        for code in response.get("x-codes", ())
    }
    assert (answered | shown) - told.keys() == set()


def test_a_failed_operation_lists_the_codes_of_its_errors() -> None:
    ends = listed(SCHEMAS["DpmAsyncError"]["properties"]["code"]["description"])
    attempts = listed(SCHEMAS["DpmAsyncAttemptError"]["properties"]["code"]["description"])
    known = {value for value in vars(operations).values() if isinstance(value, str) and value[:4] == "DPM_"}
    assert known == {code for code in ends.keys() | attempts.keys() if code.startswith("DPM_ASYNC_")}


def test_a_fault_of_a_request_lists_its_kinds() -> None:
    told = listed(SCHEMAS["ValidationError"]["properties"]["type"]["description"])
    made = {
        node.args[0].value
        for path in (ROOT / "service" / "web" / "schemas").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Fault"
        if isinstance(node.args[0], ast.Constant)
    }
    assert len(made) > 5
    assert {*MESSAGES, *made, "enum", "literal_error"} - told.keys() == set()


def codes_of_engines() -> Iterator[tuple[str, bool]]:
    """The codes that the engines write, and whether each is only how it begins."""
    for path in sorted((ROOT / "service" / "engines").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts = {
            id(part) for each in ast.walk(tree) if isinstance(each, ast.JoinedStr) for part in each.values
        }
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if id(node) not in parts and CODE.fullmatch(text):
                    yield text, False
                case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) if CODE_BEGUN.fullmatch(text):
                    yield text, True


def test_the_codes_of_the_engines_are_described() -> None:
    told = {code for _, _, schema in properties() for code in listed(schema.get("description", ""))}
    told |= {part for code in told for part in re.split(r"[|:<>]", code)}
    written = set(codes_of_engines())
    assert len(written) > 60
    untold = {
        code
        for code, is_beginning in written - {(code, False) for code in NOT_SHOWN}
        if not (any(each.startswith(code) for each in told) if is_beginning else code in told)
    }
    assert untold == set(), "say what they mean at the field that shows them, below service/domains"
