"""What work is refused with that uses, or gives, more than one piece of work may."""

from __future__ import annotations

from service.errors.families import ServiceError, Unprocessable


class GivenUp(ServiceError):
    """The work was begun and ended by force; the same request would end the same way."""


class EngineDeadlineExceeded(GivenUp):
    """The computation takes more processor time than one may; a smaller request may pass."""

    code = "ENGINE_DEADLINE_EXCEEDED"
    message = "ENGINE_DEADLINE_EXCEEDED: not computed within {seconds} seconds of processor time"


class EngineMemoryExceeded(GivenUp):
    """The computation takes more memory than one may; a smaller request may pass."""

    code = "ENGINE_MEMORY_EXCEEDED"
    message = "ENGINE_MEMORY_EXCEEDED: not computed with {bytes_max} bytes of memory"


class ResultTooLarge(Unprocessable):
    """The answer would be larger than one may be; a smaller request may pass."""

    code = "RESULT_TOO_LARGE"
    message = "RESULT_TOO_LARGE: the result is larger than {bytes_max} bytes"
