"""Puts what is counted between those who work and those who watch them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

from service.observability.instruments import Pooled
from service.observability.opentelemetry import Telemetry
from service.observability.opentelemetry import start as start_telemetry
from service.observability.process_metrics import ProcessMetrics
from service.runtime.process_pool import Executor, InstrumentedExecutor
from service.settings.process import Settings
from service.storage.instrumented import measured
from service.storage.ports.store import Store

S = TypeVar("S", bound=Store)


@dataclass(frozen=True, slots=True)
class Instrumentation:
    """The metrics of a process, and its spans where telemetry is on."""

    metrics: ProcessMetrics
    telemetry: Telemetry | None = None

    def store(self, store: S, name: str) -> S:
        """The store, watched; so is its pool if it has one, under the name."""
        opened: object = store
        if isinstance(opened, Pooled):
            self.metrics.watch_pool(name, opened.pool_use)
        return measured(store, self.metrics, self.telemetry)

    def offload(self, offload: Executor) -> Executor:
        return InstrumentedExecutor(offload, self.metrics, self.telemetry)


async def telemetry_of(settings: Settings, opened: AsyncExitStack) -> Telemetry | None:
    """Spans, if they are asked for, until the stack is closed. Raises TelemetryMissing."""
    if not settings.serving.telemetry_enabled:
        return None
    started = start_telemetry()
    opened.push_async_callback(started.close)
    return started
