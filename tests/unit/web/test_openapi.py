"""The description of the API says what there is, and nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from scripts import openapi as writing
from service.domains.values.money import exact_of
from service.settings.process import read
from service.web.openapi import numbers, requests
from service.web.openapi.document import OPERATIONS, document
from service.web.openapi.examples import examples
from service.web.openapi.parameters import sample_path
from service.web.openapi.problems import MEDIA_TYPE
from service.web.operations.row import Operation
from service.web.operations.table import ROUTES
from tests.conftest import ROOT
from tests.unit.web.conftest import Start
from tests.unit.web.openapi_outline import deviations

# The shape of the existing service's document; it is kept outside this repository.
PUBLISHED = ROOT.parent / "shared" / "spec" / "openapi-shape.json"
REVIEWED = Path(__file__).with_name("openapi_deviations.yaml")
REWRITE = "run `make openapi` and look at what changed"

# Pages for people, in HTML.
NOT_DESCRIBED = {("GET", "/docs"), ("GET", "/docs/{asset}"), ("GET", "/redoc")}

METHODS_WITH_BODY = [operation for operation in OPERATIONS if operation.body is not None]


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(document()))
    return made


def name_of(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def operation_in(described: dict[str, Any], operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = described["paths"][operation.path][operation.method.lower()]
    return found


async def test_the_document_is_served(start: Start, described: dict[str, Any]) -> None:
    client = await start()
    answer = await client.get("/openapi.json")
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert await answer.json() == described


@pytest.mark.slow
def test_the_document_is_valid(described: dict[str, Any]) -> None:
    validate(described)


def test_the_document_is_the_one_that_was_reviewed(described: dict[str, Any]) -> None:
    assert described == json.loads(writing.DOCUMENT.read_text(encoding="utf-8")), REWRITE


def test_the_document_names_no_host(described: dict[str, Any]) -> None:
    assert "servers" not in described and "security" not in described


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    routes = {(route.method, route.path) for route in ROUTES} - NOT_DESCRIBED
    assert routes == {(operation.method, operation.path) for operation in OPERATIONS}


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = Counter(operation.operation_id for operation in OPERATIONS)
    assert max(ids.values()) == 1


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_every_operation_is_explained_with_examples(operation: Operation, described: dict[str, Any]) -> None:
    found = operation_in(described, operation)
    assert found["summary"] and found["description"] and found["tags"]
    assert all(parameter["description"] for parameter in found["parameters"])
    if operation.body is not None:
        assert found["requestBody"]["content"]["application/json"]["examples"]
    answered = found["responses"][str(int(operation.status))].get("content")
    if answered is not None and operation.path != "/openapi.json":
        assert answered["application/json"]["examples"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=name_of)
def test_examples_are_what_their_schemas_say(operation: Operation, described: dict[str, Any]) -> None:
    found = operation_in(described, operation)
    checked = 0
    for message in (found.get("requestBody", {}), *found["responses"].values()):
        for content in message.get("content", {}).values():
            schema = {**content["schema"], "components": described["components"]}
            for example in content.get("examples", {}).values():
                if "$ref" in example:
                    example = described["components"]["examples"][example["$ref"].rpartition("/")[2]]
                Draft202012Validator(schema).validate(example["value"])
                checked += 1
    assert checked


def test_examples_of_fields_are_what_their_schemas_say(described: dict[str, Any]) -> None:
    checked = 0
    for component in described["components"]["schemas"].values():
        for schema in component.get("properties", {}).values():
            whole = {**schema, "components": described["components"]}
            for example in schema.get("examples", ()):
                Draft202012Validator(whole).validate(example)
                checked += 1
            if "default" in schema:
                Draft202012Validator(whole).validate(schema["default"])
    assert checked > 20


async def test_examples_are_what_the_service_answers() -> None:
    assert await writing.record() == examples(), REWRITE


async def refused_as_described(answer: Any, operation: Operation, described: dict[str, Any]) -> int:
    """Holds an answer that refuses to what is described; gives its status."""
    responses = operation_in(described, operation)["responses"]
    status = str(answer.status)
    assert status in responses, (name_of(operation), answer.status, await answer.text())
    if answer.status < 400:
        return int(answer.status)
    problem = await answer.json()
    content = responses[status]["content"][MEDIA_TYPE]
    assert answer.content_type == MEDIA_TYPE
    assert problem["code"] in responses[status]["x-codes"], (name_of(operation), problem)
    Draft202012Validator({**content["schema"], "components": described["components"]}).validate(problem)
    return int(answer.status)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"data": b"", "headers": {"Content-Type": "application/json"}}, 422),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 422),
        ({"data": b"[" * 100, "headers": {"Content-Type": "application/json"}}, 422),
        ({"data": b"{}", "headers": {"Content-Type": "application/json", "Idempotency-Key": "a b"}}, 422),
        ({"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": b" " * 2000, "headers": {"Content-Type": "application/json"}}, 413),
    ],
    ids=["nothing", "no JSON", "too deep", "no object of the kind", "no JSON by its word", "too large"],
)
async def test_a_body_is_refused_as_described(
    start: Start, described: dict[str, Any], sent: dict[str, Any], expected: int
) -> None:
    client = await start(body_bytes_max=1000)
    for operation in METHODS_WITH_BODY:
        answer = await client.request(operation.method, sample_path(operation.path), **sent)
        assert await refused_as_described(answer, operation, described) == expected, name_of(operation)


async def test_what_is_not_there_is_refused_as_described(start: Start, described: dict[str, Any]) -> None:
    everything = writing.everything_on(read())
    client = await start(
        lineage_apis_enabled=True,
        history_apis_enabled=True,
        workflow_enabled=True,
        policy=everything.policy,
    )
    for operation in OPERATIONS:
        sent = examples().get(operation.example or "", {}).get("request")
        answer = await client.request(
            operation.method,
            sample_path(operation.path),
            json=sent,
            headers={"Idempotency-Key": operation.operation_id[:255]},
        )
        await refused_as_described(answer, operation, described)


async def test_what_is_switched_off_is_refused_as_described(start: Start, described: dict[str, Any]) -> None:
    settings = read()
    off = {name: False for name in vars_of(settings.proposals) if name.endswith("_enabled")}
    client = await start(
        **{name: False for name in vars_of(settings) if name.endswith("_enabled")},
        proposals=replace(settings.proposals, **off),
    )
    refused = Counter[int]()
    for operation in OPERATIONS:
        sent = examples().get(operation.example or "", {}).get("request")
        answer = await client.request(
            operation.method,
            sample_path(operation.path),
            json=sent,
            headers={"Idempotency-Key": "key"},
        )
        refused[await refused_as_described(answer, operation, described)] += 1
    assert refused[404] > 40


def vars_of(settings: Any) -> list[str]:
    return list(settings.__slots__)


def test_every_deviation_from_the_published_document_is_reviewed(described: dict[str, Any]) -> None:
    if not PUBLISHED.is_file():
        pytest.skip("the published document is not beside this checkout (../shared/spec)")
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    reviewed = yaml.safe_load(REVIEWED.read_text(encoding="utf-8"))
    assert all(entry["because"].endswith(".") for entry in reviewed)
    left = deviations(described, published)
    for entry in reviewed:
        for line in entry.get("these", ()):
            assert line in left, f"no longer so: {line}"
            left.remove(line)
    for entry in reviewed:
        for like, count in entry.get("like", {}).items():
            pattern = re.compile(".*".join(map(re.escape, like.split("*"))))
            matched = {line for line in left if pattern.fullmatch(line)}
            assert len(matched) == count, (like, sorted(matched))
            left -= matched
    assert not left, "not reviewed: " + "\n".join(sorted(left))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "holds"),
    [
        ({}, lambda number: True),
        ({"minimum": 0}, lambda number: number >= 0),
        ({"exclusiveMinimum": 0}, lambda number: number > 0),
        ({"minimum": 0, "maximum": 1}, lambda number: 0 <= number <= 1),
    ],
    ids=["any", "not negative", "positive", "share"],
)
def test_every_decimal_that_is_spelled_as_described_is_read(limits: dict[str, Any], holds: Any) -> None:
    pattern = numbers.in_request(limits)["pattern"]

    @given(st.from_regex(pattern.removesuffix("$") + r"\Z", fullmatch=True))
    def check(text: str) -> None:
        assert holds(exact_of(text))

    check()
    for text in ("1", "0.5", "1.0"):
        assert re.fullmatch(pattern, text)
        assert holds(Decimal(text))


def test_every_rule_of_a_field_is_described() -> None:
    read_types = set(described_types())
    assert len(read_types) > 25
    assert [(kind, rules) for kind in read_types if (rules := requests.unpublished_rules(kind))] == []


def described_types() -> list[type]:
    """Every type that a request is made of."""
    from service.web.schemas.derive import schema_of

    waiting = [schema_of(operation.body) for operation in METHODS_WITH_BODY if operation.body is not None]
    found: list[type] = []
    while waiting:
        schema = waiting.pop()
        if schema.struct in found:
            continue
        found.append(schema.struct)
        for field in schema().fields.values():
            waiting += nested_in(field)
    return found


def nested_in(field: Any) -> list[Any]:
    if hasattr(field, "schema"):
        return [type(field.schema)]
    inner = [getattr(field, name, None) for name in ("inner", "value_field")]
    return [schema for part in inner if part is not None for schema in nested_in(part)]
