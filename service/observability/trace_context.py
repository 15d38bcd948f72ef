"""Which trace the work at hand belongs to, as its caller said it (W3C Trace Context, level 1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

HEADER = "traceparent"

# version - trace-id - parent-id - flags; a later version may have more to say behind another dash.
_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_FIRST_VERSION = "00"
_NO_VERSION = "ff"
_NO_TRACE = "0" * 32
_NO_SPAN = "0" * 16


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Both ids in lower-case hex; the span is the caller's, or ours where spans are recorded."""

    trace_id: str
    span_id: str


_current: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def parse(header: str) -> TraceContext | None:
    """What the header says; None when it is not well-formed, which is to be taken as if it were not there."""
    matched = _PARENT.fullmatch(header)
    if matched is None:
        return None
    version, trace_id, span_id, _, more = matched.groups()
    if version == _NO_VERSION or (version == _FIRST_VERSION and more is not None):
        return None
    if trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return None
    return TraceContext(trace_id, span_id)


def follow(trace: TraceContext) -> None:
    """Has what this task does from here on, and what it starts, belong to a trace."""
    _current.set(trace)


@contextmanager
def within(trace: TraceContext) -> Iterator[None]:
    """Has what is done inside, and what that starts, belong to a trace."""
    before = _current.set(trace)
    try:
        yield
    finally:
        _current.reset(before)


def current() -> TraceContext | None:
    """Where in a trace the work at hand is, if it belongs to one."""
    return _current.get()


def current_trace_id() -> str | None:
    """The trace that the work at hand belongs to, if it belongs to one."""
    trace = _current.get()
    return None if trace is None else trace.trace_id
