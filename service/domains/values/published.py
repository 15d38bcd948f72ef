"""The names under which values are published, where these are not the names of our types.

Client generators name classes after them, so they are those of the contract (HTTP contract, section 8). A
value that goes both ways is published twice, for a request may spell numbers in more ways than an answer;
with `once` it is published as requests have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=type)

_IN_REQUESTS: dict[type, str] = {}
_IN_ANSWERS: dict[type, str] = {}
_ONCE: set[type] = set()

DOCUMENT = "document"


def published(
    answer: str | None = None, *, request: str | None = None, once: bool = False
) -> Callable[[T], T]:
    """Decorates a type with its names in answers and in requests."""

    def name(kind: T) -> T:
        if answer is not None:
            _IN_ANSWERS[kind] = answer
        if request is not None:
            _IN_REQUESTS[kind] = request
        if once:
            _ONCE.add(kind)
        return kind

    return name


def answer_name(kind: type) -> str:
    return _IN_ANSWERS.get(kind, kind.__name__)


def request_name(kind: type) -> str:
    return _IN_REQUESTS.get(kind, kind.__name__)


def is_published_once(kind: type) -> bool:
    return kind in _ONCE


def document(kind: Any) -> msgspec.Meta:
    """Says what the stored bytes, or plain JSON, of a field are: `Annotated[Raw, document(Result)]`."""
    return msgspec.Meta(extra={DOCUMENT: kind})
