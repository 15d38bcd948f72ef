"""The one place where a refusal becomes an HTTP answer (ruling 1)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from random import randint
from typing import Annotated, Any

import msgspec
import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from service.domains.values.published import document
from service.errors.engines import GivenUp
from service.errors.families import (
    BadRequest,
    Conflict,
    NotFound,
    ServiceError,
    TooLarge,
    TooSlow,
    Unavailable,
    Unprocessable,
    WrongMediaType,
)
from service.errors.proposals import proposal_refusal
from service.errors.requests import (
    BodyTooLarge,
    BodyUnreadable,
    ContentCodingUnsupported,
    ExpectationUnsupported,
    HeadTooLarge,
    Overloaded,
)
from service.errors.storage import StoreBusy, StoreRefused, StoreUnavailable
from service.flows.limits.result_sizes import AROUND_RESULTS_BYTES_MAX, require_within
from service.web.answers.problems import ValidationEntry
from service.web.requests.content_coding import ACCEPT_ENCODING

# What is served under it has codes of its own for a store that is not there.
PROPOSALS = "/rebalance/proposals"

logger = structlog.get_logger()

# Families meet HTTP here and nowhere else; the nearest family in a refusal's ancestry decides.
STATUS_OF: Mapping[type[ServiceError], HTTPStatus] = {
    Unprocessable: HTTPStatus.UNPROCESSABLE_ENTITY,
    BadRequest: HTTPStatus.BAD_REQUEST,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    TooSlow: HTTPStatus.REQUEST_TIMEOUT,
    WrongMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    ExpectationUnsupported: HTTPStatus.EXPECTATION_FAILED,
    HeadTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreRefused: HTTPStatus.INTERNAL_SERVER_ERROR,
    GivenUp: HTTPStatus.SERVICE_UNAVAILABLE,
}

TITLE_OF: Mapping[HTTPStatus, str] = {
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457, with `detail` as the HTTP contract has it and our stable code."""

    type: str = "about:blank"
    """Always `about:blank`: the kind of problem is told by `code`."""
    title: str
    """Name of the HTTP status."""
    status: int
    """HTTP status of the answer."""
    detail: Annotated[Any, document(str | tuple[ValidationEntry, ...])]
    """The code, mostly with a sentence for people; of a request that breaks the published shape, one entry
    for each fault."""
    instance: str
    """Path that was asked for."""
    code: str
    """What is wrong; a code never changes its meaning.

    - HTTP_UNREADABLE: What was sent is not well-formed HTTP.
    - NOT_FOUND: There is nothing under this path.
    - METHOD_NOT_ALLOWED: The path does not take this method; the header `Allow` names those it takes.
    - INTERNAL_ERROR: The service failed; the correlation id finds the cause in its log.
    """


def status_of(kind: type[ServiceError]) -> HTTPStatus:
    return next(STATUS_OF[family] for family in kind.__mro__ if family in STATUS_OF)


def problem(
    request: web.BaseRequest,
    status: HTTPStatus,
    *,
    code: str,
    detail: Any,
    members: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """`members` stand beside those that every problem has (RFC 9457, section 3.2)."""
    body = Problem(
        title=TITLE_OF.get(status, status.phrase),
        status=int(status),
        detail=detail,
        instance=request.rel_url.raw_path,
        code=code,
    )
    answer = web.Response(
        body=msgspec.json.encode({**msgspec.structs.asdict(body), **members} if members else body),
        status=int(status),
        content_type="application/problem+json",
        headers=headers,
    )
    answer[CODE] = code
    return answer


def last_answer(refused: ServiceError, correlation_id: str) -> bytes:
    """A refusal of what is no request yet, after which the connection is closed."""
    status = status_of(type(refused))
    body = msgspec.json.encode(
        Problem(
            title=status.phrase, status=int(status), detail=refused.detail, instance="/", code=refused.code
        )
    )
    head = (
        f"HTTP/1.1 {int(status)} {status.phrase}\r\nContent-Type: application/problem+json\r\n"
        f"X-Correlation-Id: {correlation_id}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def retry_after(error: Unavailable | type[Unavailable]) -> str:
    """When to come back, in seconds; callers who were refused together do not come back together."""
    return str(randint(error.retry_after_seconds, error.retry_after_seconds_max))


def refusal(request: web.Request, error: ServiceError) -> web.Response:
    headers = None
    cause = error.cause.value if isinstance(error, StoreUnavailable) else None
    if isinstance(error, StoreRefused):
        # The database's words may quote a client's values; its code says what kind of fault is ours.
        logger.error("store_refused", sqlstate=error.sqlstate, kind=type(error.__cause__).__name__)
    elif isinstance(error, StoreBusy):
        # The contract's codes say that the store is away, and it is not.
        logger.warning("unavailable", code=error.code, cause=repr(error.__cause__), store=cause)
        error = Overloaded()
    elif isinstance(error, StoreUnavailable) and request.path.startswith(PROPOSALS):
        error = proposal_refusal(error)
    if isinstance(error, Unavailable):
        if not isinstance(error, Overloaded):
            # The caller is told that it passes; who keeps the service up needs to know what it was. An
            # overload is told once a second for all.
            reason = {} if cause is None else {"store": cause}
            logger.warning("unavailable", code=error.code, cause=repr(error.__cause__), **reason)
        headers = {"Retry-After": retry_after(error)}
    elif isinstance(error, ContentCodingUnsupported):
        headers = {"Accept-Encoding": ACCEPT_ENCODING}
    return problem(
        request,
        status_of(type(error)),
        code=error.code,
        detail=error.detail,
        members=error.members,
        headers=headers,
    )


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers every refusal and every unforeseen error; a caller never sees a stack trace."""
    try:
        return _within(request, await handler(request))
    except ServiceError as error:
        return refusal(request, error)
    except web.HTTPRequestEntityTooLarge:
        return refusal(request, BodyTooLarge(bytes_max=request.app[BODY_BYTES_MAX]))
    except web.RequestPayloadError:
        return refusal(request, BodyUnreadable())
    except web.HTTPNotFound:
        return problem(request, HTTPStatus.NOT_FOUND, code="NOT_FOUND", detail="Not Found")
    except web.HTTPMethodNotAllowed as error:
        return problem(
            request,
            HTTPStatus.METHOD_NOT_ALLOWED,
            code="METHOD_NOT_ALLOWED",
            detail="Method Not Allowed",
            headers={"Allow": ", ".join(sorted(error.allowed_methods))},
        )
    except web.HTTPException:
        raise
    except Exception:
        logger.exception("unhandled_exception")
        return problem(
            request,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            code="INTERNAL_ERROR",
            detail="An unexpected error occurred.",
        )


def _within(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """An answer that is no larger than any may be: one may hold several results. Raises ResultTooLarge."""
    bytes_max = request.app.get(RESULT_BYTES_MAX)
    if bytes_max is not None and isinstance(answer, web.Response):
        require_within(answer.content_length or 0, bytes_max + AROUND_RESULTS_BYTES_MAX)
    return answer


BODY_BYTES_MAX = web.AppKey("BODY_BYTES_MAX", int)
# What the results in one answer may have together.
RESULT_BYTES_MAX = web.AppKey("RESULT_BYTES_MAX", int)
# The stable code of an answer, for those who count.
CODE = web.ResponseKey("CODE", str)
