"""Puts a shadow beside a primary that is open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from service.observability.instruments import NOOP_METRICS, ShadowMetrics
from service.runtime.clock import Clock, NewId
from service.storage.ports.store import Store
from service.storage.shadow.connection import ShadowConnection
from service.storage.shadow.difference_log import DifferenceLog
from service.storage.shadow.replicator import PATIENCE_SECONDS, Replicator
from service.storage.shadow.store import ShadowedStore


def shadowed(
    primary: Store,
    open_shadow: Callable[[], Awaitable[Store]],
    *,
    backend: str,
    clock: Clock,
    new_id: NewId,
    acts_waiting_max: int,
    measures: ShadowMetrics = NOOP_METRICS,
    patience_seconds: float = PATIENCE_SECONDS,
) -> ShadowedStore:
    """The primary with a shadow that is opened when it can be; needs the event loop it is to work in."""
    replicator = Replicator(
        backend=backend,
        primary=primary,
        presence=ShadowConnection(open_shadow),
        journal=DifferenceLog(primary.shadow_differences, clock=clock, new_id=new_id, measures=measures),
        measures=measures,
        acts_waiting_max=acts_waiting_max,
        patience_seconds=patience_seconds,
    )
    replicator.begin()
    return ShadowedStore(primary, replicator)
