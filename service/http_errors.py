"""The refusals that a request meets by its head alone, or by the time it takes; codes never change."""

from __future__ import annotations

from service.errors import Malformed, TooSlow, Unavailable, WrongMediaType


class ExpectationUnsupported(Malformed):
    code = "EXPECTATION_UNSUPPORTED"
    message = "EXPECTATION_UNSUPPORTED: the only expectation that can be met is 100-continue"


class HeadTooLarge(Malformed):
    """The request line, a header field, or all of them together are larger than we read."""

    code = "REQUEST_HEAD_TOO_LARGE"
    message = "REQUEST_HEAD_TOO_LARGE: the request line or the header fields are larger than is read"


class ContentCodingUnsupported(WrongMediaType):
    code = "UNSUPPORTED_CONTENT_ENCODING"
    message = "UNSUPPORTED_CONTENT_ENCODING: the body must be sent plain, or encoded once with {codings}"


class RequestTooSlow(TooSlow):
    code = "REQUEST_TOO_SLOW"
    message = "REQUEST_TOO_SLOW: the request did not arrive within {seconds} seconds"


class RequestTimedOut(Unavailable):
    """The work took too long and was given up; what it may have written is whole."""

    code = "REQUEST_TIMED_OUT"
    message = (
        "REQUEST_TIMED_OUT: not done within {seconds} seconds; it may have been recorded all the same, "
        "which the same request with the same key finds out"
    )
