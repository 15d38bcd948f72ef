"""The refusals of an operation, by status: which codes there can be, and what each looks like (ruling 1)."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from service.errors.engines import EngineDeadlineExceeded, EngineMemoryExceeded
from service.errors.families import ServiceError
from service.errors.requests import (
    BodyTooLarge,
    BodyUnreadable,
    ContentCodingUnsupported,
    ExpectationUnsupported,
    HeadTooLarge,
    JsonTooDeep,
    MediaTypeUnsupported,
    Overloaded,
    RequestInvalid,
    RequestTimedOut,
)
from service.web.middleware.problem_details import TITLE_OF, status_of
from service.web.openapi.parameters import path_names, sample_path
from service.web.operations.row import Operation
from service.web.requests.parameters import bound_in_path
from service.web.schemas.entries import SCALAR_CHARACTERS_MAX
from service.web.schemas.faults import MESSAGES
from service.web.schemas.proposals import VERSION_NO

MEDIA_TYPE = "application/problem+json"

# Stand-ins for the facts that messages are filled with.
FACTS: dict[str, object] = {
    "bytes_max": 10_485_760,
    "codings": "gzip or deflate",
    "decided_at": "2026-11-21T09:41:00+00:00",
    "decided_by": "reviewer_1",
    "decision": "APPROVE",
    "decision_id": "dwd_019ac00000007000800000000000abcd",
    "engine_version": "0.9.0",
    "finished_at": "2026-11-21T09:41:00+00:00",
    "levels_max": 64,
    "outcome": "CANCELLED",
    "packs_max": 1000,
    "policy_pack_id": "dpm_core_sg",
    "reason": "expected_state mismatch",
    "seconds": 60,
}

# A code with its detail.
Said = tuple[str, Any]

# What is answered before there is a request, or before it has found its handler.
UNREADABLE: Said = ("HTTP_UNREADABLE", "HTTP_UNREADABLE: the request is not well-formed HTTP")
NO_SUCH_TEXT: Said = ("NOT_FOUND", "Not Found")


def problems_of(operation: Operation, schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The responses of an operation that refuse, by status; `schema` is that of a problem."""
    said: dict[HTTPStatus, dict[str, Any]] = {HTTPStatus.BAD_REQUEST: dict([UNREADABLE])}
    for kind in all_refusals(operation):
        said.setdefault(status_of(kind), {})[kind.code] = _detail_of(kind, operation)
    if "entity_id" in path_names(operation.path):
        said[HTTPStatus.NOT_FOUND].update([NO_SUCH_TEXT])
    members = {kind.code: {name: FACTS[name] for name in kind.shown} for kind in all_refusals(operation)}
    return {
        str(int(status)): _response(operation, status, said[status], members, schema)
        for status in sorted(said)
    }


def all_refusals(operation: Operation) -> Iterable[type[ServiceError]]:
    """Those of the operation itself, and those that follow from what it takes."""
    yield from operation.refusals
    if operation.body is not None:
        yield from (BodyUnreadable, BodyTooLarge, MediaTypeUnsupported, ContentCodingUnsupported, JsonTooDeep)
        yield ExpectationUnsupported
        # What is large is read, and what is much is computed, in a process that is held to its bounds.
        yield from (EngineDeadlineExceeded, EngineMemoryExceeded)
    yield HeadTooLarge
    if _can_be_malformed(operation):
        yield RequestInvalid
    if not operation.always_admitted:
        yield from (Overloaded, RequestTimedOut)


def _can_be_malformed(operation: Operation) -> bool:
    # A parameter that means nothing may be refused, and a header that is repeated always is.
    return operation.is_business


def _response(
    operation: Operation,
    status: HTTPStatus,
    said: dict[str, Any],
    members: dict[str, dict[str, Any]],
    schema: dict[str, Any],
) -> dict[str, Any]:
    title = TITLE_OF.get(status, status.phrase)
    codes = sorted(said)
    response: dict[str, Any] = {
        "description": f"{title}: {', '.join(f'`{code}`' for code in codes)}.",
        "headers": {"X-Correlation-Id": {"$ref": "#/components/headers/X-Correlation-Id"}},
        "content": {
            MEDIA_TYPE: {
                "schema": schema,
                "examples": {
                    code: {"value": _problem(operation, status, code, said[code]) | members.get(code, {})}
                    for code in codes
                },
            }
        },
        "x-codes": codes,
    }
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response["headers"]["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
    if status is HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        response["headers"]["Accept-Encoding"] = {"$ref": "#/components/headers/Accept-Encoding"}
    return response


def _problem(operation: Operation, status: HTTPStatus, code: str, detail: Any) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": TITLE_OF.get(status, status.phrase),
        "status": int(status),
        "detail": detail,
        "instance": sample_path(operation.path),
        "code": code,
    }


def _detail_of(kind: type[ServiceError], operation: Operation) -> Any:
    if kind is RequestInvalid:
        return [_entry_of(operation)]
    return kind.message.format_map(FACTS)


def _entry_of(operation: Operation) -> dict[str, Any]:
    """The first thing that can be wrong with a request of the operation."""
    if operation.body is not None:
        return {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
    if VERSION_NO in path_names(operation.path):
        return {
            "type": "greater_than_equal",
            "loc": ["path", VERSION_NO],
            "msg": "Input should be greater than or equal to 1",
            "input": "0",
            "ctx": {"ge": 1},
        }
    if operation.query is not None:
        name, field = next(iter(operation.query().fields.items()))
        return _no_text(["query", field.data_key or name])
    if operation.headers:
        return _no_text(["header", operation.headers[0].parameter["name"]])
    names = path_names(operation.path)
    if names:
        return _too_long(names[0])
    return {
        "type": "extra_forbidden",
        "loc": ["query", "unknown"],
        "msg": MESSAGES["extra_forbidden"],
        "input": "1",
    }


def _too_long(name: str) -> dict[str, Any]:
    most = bound_in_path(name).characters_max
    return {
        "type": "string_too_long",
        "loc": ["path", name],
        "msg": f"String should have at most {most} characters",
        "input": "x" * SCALAR_CHARACTERS_MAX,
        "ctx": {"max_length": most},
    }


def _no_text(loc: list[str]) -> dict[str, Any]:
    return {"type": "string_unicode", "loc": loc, "msg": MESSAGES["string_unicode"], "input": "?"}
