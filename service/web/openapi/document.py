"""The whole API as one OpenAPI document: the table of operations, with the schemas they refer to."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from service.domains.values.published import answer_name
from service.domains.values.texts import Text, text_of_class, text_of_enum, text_of_field
from service.errors.families import ServiceError
from service.errors.requests import RequestTooSlow
from service.web.middleware.problem_details import Problem
from service.web.openapi import requests
from service.web.openapi.answers import Answers
from service.web.openapi.examples import examples
from service.web.openapi.parameters import IN_QUERY, path_names, path_parameter
from service.web.openapi.problems import all_refusals, problems_of
from service.web.operations.row import TAG_TEXTS, Operation
from service.web.operations.table import OPERATIONS
from service.web.schemas.derive import schema_of
from service.web.schemas.fields import Choice
from service.web.schemas.parameters import QuerySchema

OPENAPI_VERSION = "3.1.0"
# That of the published contract, not that of a build: it changes when what clients see does (6.6).
API_VERSION = "0.1.0"
JSON = "application/json"
DESCRIPTION = (
    "Simulates, records, reviews and proves portfolio changes of a private bank's discretionary desk, and "
    "takes proposals of its advisers from draft to execution.\n\n"
    "Decimals are sent as text or as numbers and answered as text; one has at most 38 significant digits "
    "and, without zeros at its end, an exponent between -40 and 18. Every decimal that is answered is taken. "
    "Booleans, integers and instants are also taken in the lenient spellings of the HTTP contract. Unknown "
    "fields are ignored unless the service is told to refuse them. Every text, list and map has a bound; a "
    "setting lets longer ids in. Everything an answer has is always there; what is not known is null. "
    "Instants are UTC."
)

HEADERS: dict[str, dict[str, Any]] = {
    "X-Correlation-Id": {
        "description": "What the request is filed under: the id that was sent, or the one that was drawn.",
        "schema": {"type": "string"},
    },
    "Idempotent-Replayed": {
        "description": "The answer was given before; these are its very bytes.",
        "schema": {"type": "string", "const": "true"},
    },
    "X-Policy-Pack-Status": {
        "description": "The policy pack that was selected is not there, so nothing was overridden.",
        "schema": {"type": "string", "const": "UNKNOWN"},
    },
    "X-Ignored-Parameters": {
        "description": "Parameters of the query that mean nothing here, often because they are misspelled.",
        "schema": {"type": "string"},
    },
    "X-Request-Hash": {
        "description": "The hash of the stored request, as runs show it; of a batch, that of the batch.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-Scenario": {
        "description": "Which scenario of the batch the run is; only where the run is one.",
        "schema": {"type": "string"},
    },
    "Accept-Encoding": {
        "description": "How a body may be encoded.",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where the operation can be looked up; a path, without a host.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "Seconds after which it is worth trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
}


def document() -> dict[str, Any]:
    """The document; equal builds give equal ones."""
    plugin = requests.plugin()
    spec = APISpec(
        title="Lotus Manage",
        version=API_VERSION,
        openapi_version=OPENAPI_VERSION,
        info={"description": DESCRIPTION},
        plugins=[plugin],
        tags=[{"name": tag.value, "description": text} for tag, text in TAG_TEXTS.items()],
    )
    assert plugin.converter is not None, "a document has been made with the plugin"
    requests.teach(plugin.converter)
    for named, vocabulary in ((name, kind) for kind, name in requests.NAMED_CHOICES.items()):
        spec.components.schema(
            named,
            {
                "type": "string",
                "enum": [member.value for member in vocabulary],
                "description": text_of_enum(vocabulary).markdown,
            },
        )
    answers = Answers()
    for operation in OPERATIONS:
        spec.path(
            path=operation.path,
            operations={operation.method.lower(): _described(operation, plugin, answers)},
        )
    for name, schema in answers.schemas.items():
        spec.components.schema(name, schema)
    for name, example in examples().items():
        for part, value in example.items():
            spec.components.example(f"{name}-{part}", {"value": value})
    for name, header in HEADERS.items():
        spec.components.header(name, header)
    made = spec.to_dict()
    _describe_requests(made, plugin)
    _describe_codes(made)
    made["components"]["schemas"] = dict(sorted(made["components"]["schemas"].items()))
    return made


def _described(operation: Operation, plugin: MarshmallowPlugin, answers: Answers) -> dict[str, Any]:
    example = examples().get(operation.example or "", {})
    described: dict[str, Any] = {
        "operationId": operation.operation_id,
        "tags": [operation.tag.value],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": _parameters(operation, plugin),
    }
    if operation.body is not None:
        content: dict[str, Any] = {"schema": schema_of(operation.body)}
        if "request" in example:
            content["examples"] = _reference(f"{operation.example}-request")
        described["requestBody"] = {"required": True, "content": {JSON: content}}
    described["responses"] = {
        str(int(operation.status)): _success(operation, answers, example),
        **problems_of(operation, answers.reference(Problem)),
    }
    return described


def _parameters(operation: Operation, plugin: MarshmallowPlugin) -> list[dict[str, Any]]:
    found = [path_parameter(name) for name in path_names(operation.path)]
    if operation.query is not None:
        assert plugin.converter is not None
        for parameter in plugin.converter.schema2parameters(operation.query(), location="query"):
            _take_null_out_of(parameter["schema"])
            found.append({**parameter, "description": _text_in_query(operation.query, parameter["name"])})
    return [*found, *(header.parameter for header in operation.headers)]


def _text_in_query(query: type[QuerySchema], name: str) -> str:
    codes: Mapping[str, str] = {}
    field = next(each for known, each in query().fields.items() if (each.data_key or known) == name)
    if isinstance(field, Choice):
        member = next(iter(field.values.values()))
        codes = text_of_enum(type(member)).codes if isinstance(member, Enum) else codes
    # A text at the field of the schema comes first.
    text = field.metadata.get("description") or IN_QUERY[name]
    return Text(text, codes).markdown


def _success(operation: Operation, answers: Answers, example: dict[str, Any]) -> dict[str, Any]:
    sent = ["X-Correlation-Id"]
    if operation.replays:
        sent.append("Idempotent-Replayed")
    if operation.accepts:
        sent += ["Location", "Retry-After"]
    if operation.tells_pack:
        sent.append("X-Policy-Pack-Status")
    if operation.is_business:
        sent.append("X-Ignored-Parameters")
    sent.extend(operation.sends)
    response: dict[str, Any] = {
        "description": HTTPStatus(operation.status).phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in sent},
    }
    if operation.answer is not None:
        content: dict[str, Any] = {"schema": answers.reference(operation.answer)}
        if "answer" in example:
            content["examples"] = _reference(f"{operation.example}-answer")
        response["content"] = {JSON: content}
    return response


def _take_null_out_of(schema: dict[str, Any]) -> None:
    """What is left out of a query is null once it is read, but no caller can spell it."""
    kinds = schema["type"]
    if isinstance(kinds, list):
        schema["type"] = next(kind for kind in kinds if kind != "null")
    if "enum" in schema:
        schema["enum"] = [word for word in schema["enum"] if word is not None]


def _reference(example: str) -> dict[str, Any]:
    return {"recorded": {"$ref": f"#/components/examples/{example}"}}


def _describe_codes(made: dict[str, Any]) -> None:
    """The codes of all refusals, once, where a problem says which it is."""
    own = text_of_field(Problem, "code")
    # What comes too slowly is refused before it is known which operation it asks for.
    kinds: list[type[ServiceError]] = [
        RequestTooSlow,
        *(kind for each in OPERATIONS for kind in all_refusals(each)),
    ]
    refusals = {kind.code: text_of_class(kind) for kind in kinds}
    codes = dict(sorted({**refusals, **own.codes}.items()))
    problem = made["components"]["schemas"][answer_name(Problem)]
    problem["properties"]["code"]["description"] = Text(own.words, codes).markdown


def _describe_requests(made: dict[str, Any], plugin: MarshmallowPlugin) -> None:
    """What types say of themselves, which the library does not look at."""
    assert plugin.converter is not None
    for (kind, *_), name in plugin.converter.refs.items():
        if text := requests.description_of(kind.struct):
            made["components"]["schemas"][name]["description"] = text
