"""What work is refused with that uses, or gives, more than one piece of work may."""

from __future__ import annotations

from service.errors.families import ServiceError, Unprocessable


class GivenUp(ServiceError):
    """The work was begun and ended by force; the same request would end the same way."""


class EngineDeadlineExceeded(GivenUp):
    """The work used more processor time than one piece of work may."""

    code = "ENGINE_DEADLINE_EXCEEDED"
    message = "ENGINE_DEADLINE_EXCEEDED: not computed within {seconds} seconds of processor time"


class EngineMemoryExceeded(GivenUp):
    """The work asked for more memory than one piece of work may have."""

    code = "ENGINE_MEMORY_EXCEEDED"
    message = "ENGINE_MEMORY_EXCEEDED: not computed with {bytes_max} bytes of memory"


class ResultTooLarge(Unprocessable):
    """What was asked for would be a larger answer than is given."""

    code = "RESULT_TOO_LARGE"
    message = "RESULT_TOO_LARGE: the result is larger than {bytes_max} bytes"
