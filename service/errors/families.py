"""Every refusal the service can give, each with a code that never changes.

A refusal's message is the `detail` of the HTTP contract: the code, or the code, a colon and a text.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ServiceError(Exception):
    """A refusal the caller can act on. Anything else that escapes is a bug."""

    code: ClassVar[str]
    message: ClassVar[str]
    # The facts that a caller is told as members of the problem (RFC 9457, section 3.2).
    shown: ClassVar[tuple[str, ...]] = ()

    def __init__(self, **facts: object) -> None:
        super().__init__(self.message.format(**facts))
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        # Refusals cross process boundaries, and keyword facts are not what pickle gives back by itself.
        return (_again, (type(self), self.facts))

    @property
    def detail(self) -> Any:
        """What the caller reads under `detail`."""
        return str(self)

    @property
    def members(self) -> dict[str, object]:
        """What the caller reads beside `detail`: the facts named in `shown`, as far as they are known."""
        return {name: self.facts[name] for name in self.shown if self.facts.get(name) is not None}


class NotPlain(Exception):
    """A body does not follow its published shape to the letter; its schema knows whether it is refused."""


def _again(kind: type[ServiceError], facts: dict[str, object]) -> ServiceError:
    return kind(**facts)


class Unprocessable(ServiceError):
    """The request cannot be taken as it is, whatever is stored."""


class BadRequest(Unprocessable):
    """What was sent does not reach us whole."""


class TooLarge(Unprocessable):
    """The request is larger than we read."""


class TooSlow(Unprocessable):
    """The request does not arrive in time."""


class WrongMediaType(Unprocessable):
    """The body is not JSON by its own word."""


class NotFound(ServiceError):
    """The named thing does not exist, or not for this caller."""


class Conflict(ServiceError):
    """The stored state forbids it now; it may be allowed later."""


class Unavailable(ServiceError):
    """We cannot answer now; the caller may try again after retry_after_seconds.

    Where retry_after_seconds_max is more, callers are told different times up to it.
    """

    retry_after_seconds: int = 1
    retry_after_seconds_max: int = 1
