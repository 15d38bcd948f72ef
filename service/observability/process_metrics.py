"""What servers and workers alike tell of themselves: store, engines, event loop, pools, sweeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from service.observability.instruments import ENGINE_PROCESS_ENDS, PoolUse

# From a look at memory to an act that was given up.
ACT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0)
# From one small book to a batch of twenty large ones behind others.
ENGINE_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
# A loop that is 20 ms late is one that somebody blocked.
LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
LAG_SAMPLE_SECONDS = 0.1

FATES = ("TAKEN_BACK", "EXHAUSTED", "EXPIRED", "OVERDUE")


class ProcessMetrics:
    """Counted by one process for itself; all times in seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        # When each series began is a third of the text, and no query uses it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        ProcessCollector(registry=registry)
        self._act_seconds = Histogram(
            "lotus_store_call_duration_seconds",
            "How long an act or a read of the store took, waiting for a connection included.",
            ["noun", "act"],
            buckets=ACT_SECONDS,
            registry=registry,
        )
        self._act_failures = Counter(
            "lotus_store_failures",
            "Acts and reads that found no store, by cause.",
            ["noun", "act", "cause"],
            registry=registry,
        )
        self._act_refusals = Counter(
            "lotus_store_refusals",
            "Acts and reads that the store was there for and refused.",
            ["noun", "act"],
            registry=registry,
        )
        self._engine_seconds = Histogram(
            "lotus_engine_duration_seconds",
            "How long pure work took, in an engine process (waiting for one included) or on the loop.",
            ["work", "place"],
            buckets=ENGINE_SECONDS,
            registry=registry,
        )
        self._engine_timers: dict[tuple[str, str], Callable[[float], None]] = {}
        self._engine_ends = Counter(
            "lotus_engine_processes_ended",
            "Engine processes that ended before their time and were replaced: their work exceeded its "
            "deadline or its memory, its caller had gone, or they died.",
            ["cause"],
            registry=registry,
        )
        for cause in ENGINE_PROCESS_ENDS:
            self._engine_ends.labels(cause)
        self._define_loop_and_pools(registry)

    def _define_loop_and_pools(self, registry: CollectorRegistry) -> None:
        self._loop_lag = Histogram(
            "lotus_event_loop_lag_seconds",
            "How late the event loop came back to a timer, sampled ten times a second.",
            buckets=LAG_SECONDS,
            registry=registry,
        )
        self._connections = Gauge(
            "lotus_pool_connections", "Open connections, by use.", ["pool", "state"], registry=registry
        )
        self._connections_max = Gauge(
            "lotus_pool_connections_max", "Connections a pool may open.", ["pool"], registry=registry
        )
        self._pool_waiting = Gauge(
            "lotus_pool_waiting", "Callers that wait for a connection.", ["pool"], registry=registry
        )
        self._swept = Counter(
            "lotus_operations_recovered",
            "Operations a sweep took back, or ended after their last attempt or their time.",
            ["fate"],
            registry=registry,
        )
        for fate in FATES:
            self._swept.labels(fate)

    def act_timer(self, noun: str, act: str) -> Callable[[float], None]:
        """See measures.ActMeasures."""
        return self._act_seconds.labels(noun, act).observe

    def act_failed(self, noun: str, act: str, cause: str) -> None:
        """See measures.ActMeasures."""
        self._act_failures.labels(noun, act, cause).inc()

    def act_refused(self, noun: str, act: str) -> None:
        """See measures.ActMeasures."""
        self._act_refusals.labels(noun, act).inc()

    def engine_worked(self, work: str, place: str, seconds: float) -> None:
        """See measures.EngineMeasures."""
        timer = self._engine_timers.get((work, place))
        if timer is None:
            timer = self._engine_timers[work, place] = self._engine_seconds.labels(work, place).observe
        timer(seconds)

    def engine_process_ended(self, cause: str) -> None:
        """See measures.EngineProcessMeasures."""
        self._engine_ends.labels(cause).inc()

    def recovered(self, *, requeued: int, exhausted: int, expired: int, overdue: int) -> None:
        """See measures.SweepMeasures."""
        for fate, count in zip(FATES, (requeued, exhausted, expired, overdue), strict=True):
            if count:
                self._swept.labels(fate).inc(count)

    def watch_pool(self, pool: str, use: Callable[[], PoolUse]) -> None:
        """Has the connections of a pool counted whenever somebody looks."""
        self._connections.labels(pool, "idle").set_function(lambda: use().idle)
        self._connections.labels(pool, "in_use").set_function(lambda: in_use(use()))
        self._connections_max.labels(pool).set_function(lambda: use().connections_max)
        self._pool_waiting.labels(pool).set_function(lambda: use().waiting)

    def loop_was_late(self, seconds: float) -> None:
        """The event loop came back to a timer so long after its time."""
        self._loop_lag.observe(seconds)

    async def sample_loop(self) -> None:
        """Watches the loop it runs on for as long as the process lives."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_SAMPLE_SECONDS
            await asyncio.sleep(LAG_SAMPLE_SECONDS)
            self.loop_was_late(max(0.0, loop.time() - due))


def rendered(registry: CollectorRegistry) -> bytes:
    """All that is counted, in the text form; with many routes the work of tens of milliseconds."""
    parts = []
    for family in registry.collect():
        alone = CollectorRegistry()
        alone.register(_Family(family))
        parts.append(generate_latest(alone))
        # The event loop, which is another thread's, need not wait until it may interrupt us.
        time.sleep(0)
    return b"".join(parts)


class _Family(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> list[Metric]:
        return [self._family]


def in_use(use: PoolUse) -> int:
    return use.open - use.idle
