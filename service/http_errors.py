"""The refusals that a request meets by its head alone, each with a code that never changes (ruling 21)."""

from __future__ import annotations

from service.errors import Malformed, WrongMediaType


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
