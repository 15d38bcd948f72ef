"""Any store, watched: how long each act took, and how often the store was not there."""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from service.errors.storage import StoreRefused, StoreUnavailable
from service.observability.instruments import Spans, StoreMetrics
from service.storage.ports.store import Store

S = TypeVar("S", bound=Store)

# What a store is cut into, by the port itself.
NOUNS = tuple(name for name, part in vars(Store).items() if isinstance(part, property))

Act = Callable[..., Awaitable[Any]]


def measured(store: S, measures: StoreMetrics, spans: Spans | None = None) -> S:
    """A store over the same state whose acts are told by noun and name, and are spans where there are any.

    Only what is asked from outside is told; what an act asks of its own store belongs to it.
    """
    watched = copy.copy(store)
    for name in NOUNS:
        noun = getattr(store, name, None)
        if noun is not None:
            setattr(watched, name, _watched_noun(noun, name, measures, spans))
    return watched


def _watched_noun(noun: Any, name: str, measures: StoreMetrics, spans: Spans | None) -> Any:
    watched = copy.copy(noun)
    for act_name, act in inspect.getmembers(noun, inspect.iscoroutinefunction):
        if act_name.startswith("_"):
            continue
        watched_act = _timed(act, name, act_name, measures)
        if spans is not None:
            watched_act = _spanned(watched_act, f"store {name}.{act_name}", spans)
        setattr(watched, act_name, watched_act)
    return watched


def _timed(act: Act, noun: str, name: str, measures: StoreMetrics) -> Act:
    told: list[Callable[[float], None]] = []

    async def timed(*args: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return await act(*args, **named)
        except StoreUnavailable as error:
            measures.act_failed(noun, name, error.cause.value)
            raise
        except StoreRefused:
            measures.act_refused(noun, name)
            raise
        finally:
            if not told:
                # Acts that never happen would fill most of what is read.
                told.append(measures.act_timer(noun, name))
            told[0](time.perf_counter() - started)

    return timed


def _spanned(act: Act, name: str, spans: Spans) -> Act:
    async def spanned(*args: Any, **named: Any) -> Any:
        with spans.child(name):
            return await act(*args, **named)

    return spanned
