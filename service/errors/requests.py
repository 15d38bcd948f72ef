"""Errors of a request before a flow sees it: its head, body and time; codes never change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.errors.families import BadRequest, TooLarge, TooSlow, Unavailable, Unprocessable, WrongMediaType


class ExpectationUnsupported(Unprocessable):
    """The request expects something else than `100-continue`."""

    code = "EXPECTATION_UNSUPPORTED"
    message = "EXPECTATION_UNSUPPORTED: the only expectation that can be met is 100-continue"


class HeadTooLarge(Unprocessable):
    """The request line, a header field or all of them together are too large."""

    code = "REQUEST_HEAD_TOO_LARGE"
    message = "REQUEST_HEAD_TOO_LARGE: the request line or the header fields are larger than is read"


class ContentCodingUnsupported(WrongMediaType):
    """The body is encoded in a way that is not read."""

    code = "UNSUPPORTED_CONTENT_ENCODING"
    message = "UNSUPPORTED_CONTENT_ENCODING: the body must be sent plain, or encoded once with {codings}"


class RequestTooSlow(TooSlow):
    """The request did not arrive in time."""

    code = "REQUEST_TOO_SLOW"
    message = "REQUEST_TOO_SLOW: the request did not arrive within {seconds} seconds"


class RequestTimedOut(Unavailable):
    """The work took too long and was given up; the same request with the same key finds out whether it was
    recorded."""

    code = "REQUEST_TIMED_OUT"
    message = (
        "REQUEST_TIMED_OUT: not done within {seconds} seconds; it may have been recorded all the same, "
        "which the same request with the same key finds out"
    )


class RequestInvalid(Unprocessable):
    """The request breaks the published shape; the entries of `detail` say where."""

    code = "REQUEST_VALIDATION_FAILED"
    message = "REQUEST_VALIDATION_FAILED"

    def __init__(self, entries: Sequence[dict[str, Any]]) -> None:
        super().__init__()
        self.entries = tuple(entries)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.entries,))

    @property
    def detail(self) -> Any:
        return list(self.entries)


class JsonTooDeep(Unprocessable):
    """The body nests too deep."""

    code = "JSON_TOO_DEEP"
    message = "JSON_TOO_DEEP: the body nests deeper than {levels_max} levels"


class BodyUnreadable(BadRequest):
    """The body ends early or is not encoded as it says."""

    code = "REQUEST_BODY_UNREADABLE"
    message = "REQUEST_BODY_UNREADABLE: the body ends early or is not encoded as it says"


class BodyTooLarge(TooLarge):
    """The body has more bytes than are read."""

    code = "REQUEST_BODY_TOO_LARGE"
    message = "REQUEST_BODY_TOO_LARGE: the body is larger than {bytes_max} bytes"


class MediaTypeUnsupported(WrongMediaType):
    """The body is not sent as `application/json`."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    message = "UNSUPPORTED_MEDIA_TYPE: the body must be application/json"


class ShuttingDown(Unavailable):
    """The service is shutting down; another process answers."""

    code = message = "SERVICE_STOPPING"


class Overloaded(Unavailable):
    """More is asked at a time than can be done; nothing was looked at, and the request can be sent again."""

    code = message = "SERVICE_OVERLOADED"
    retry_after_seconds_max = 3
