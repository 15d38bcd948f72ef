"""Correlation ids in and out, and the one log line a request leaves."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from structlog.contextvars import bind_contextvars

from service.domains.values.bounds import CORRELATION_ID
from service.runtime.clock import NewId
from service.web import keys
from service.web.middleware.metrics import REPLAYED_HEADER
from service.web.middleware.problem_details import CODE

HEADER = "X-Correlation-Id"
KEY_HEADER = "Idempotency-Key"
# Supervisors send these every few seconds, and no one reads the lines afterwards.
PROBES = "/health/"
# The parts of a path that name what was asked for, under the names that lines about these things have.
NAMED_IN_PATH = frozenset({"rebalance_run_id", "operation_id", "proposal_id", "policy_pack_id"})
# A key is no longer; what else callers send is cut to it.
LOGGED_CHARACTERS_MAX = 255

_FIT = re.compile(r"[!-~]*")
_UNFIT = re.compile(r"[^!-~]")

logger = structlog.get_logger()


def correlation(new_id: NewId) -> Middleware:
    """Middleware: gives every request a correlation id, logs it once, and answers it (D65)."""

    @web.middleware
    async def correlate(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        sent = request.headers.get(HEADER, "")
        correlation_id = sent if is_id(sent) else new_id("corr")
        request[keys.CORRELATION_SENT] = sent
        request[keys.CORRELATION_ID] = correlation_id
        bind_contextvars(correlation_id=correlation_id)
        answer = await handler(request)
        if not answer.prepared:
            answer.headers[HEADER] = correlation_id
        resource = request.match_info.route.resource
        log = logger.debug if request.path.startswith(PROBES) else logger.info
        log(
            "request",
            method=request.method,
            route=resource.canonical if resource is not None else None,
            status=answer.status,
            duration_ms=round((time.perf_counter() - started) * 1000, 3),
            **dict(_facts_of(request, answer)),
        )
        return answer

    return correlate


def _facts_of(request: web.Request, answer: web.StreamResponse) -> Iterator[tuple[str, str | bool]]:
    """What finds a request again and tells what came of it; nothing of a body."""
    key = request.headers.get(KEY_HEADER)
    if key is not None:
        yield "idempotency_key", logged(key)
        yield "replayed", REPLAYED_HEADER in answer.headers
    for name, value in request.match_info.items():
        if name in NAMED_IN_PATH:
            yield name, logged(value)
    if keys.RUN_ID in request:
        yield "rebalance_run_id", request[keys.RUN_ID]
    code = answer.get(CODE)
    if code is not None:
        yield "code", code


def logged(text: str) -> str:
    """What a caller sent, as a log line may have it."""
    if len(text) <= LOGGED_CHARACTERS_MAX and _FIT.fullmatch(text):
        return text
    return _UNFIT.sub("?", text[:LOGGED_CHARACTERS_MAX])


def is_id(sent: str) -> bool:
    """Whether a correlation id can be kept and answered as it came."""
    return is_text(sent) and len(sent) <= CORRELATION_ID.characters_max


def is_text(value: str) -> bool:
    """Whether a header can be kept as it came: not empty, and UTF-8 when it was sent."""
    try:
        return bool(value) and bool(value.encode("utf-8"))
    except UnicodeEncodeError:
        return False
