"""What a server tells those who watch it, in the text form of Prometheus."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from service.observability.process_metrics import ProcessMetrics, rendered

# From a look-up in memory to a request that is given up.
REQUEST_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
PURGE_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 300.0)

# Known from the start, so that a rate is zero and not missing before the first of its kind.
PURGED_KINDS = (
    "runs",
    "requests",
    "artifacts",
    "decisions",
    "keys",
    "uses",
    "edges",
    "operations",
    "simulations",
    "differences",
)


class CountedElsewhere(Collector):
    """A count that is kept by those who do what it counts, some of it before there is a request."""

    def __init__(self, name: str, sentence: str) -> None:
        self._name, self._sentence = name, sentence
        self.count: Callable[[], int] = lambda: 0

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._sentence, value=self.count())


class OpenConnections(Protocol):
    most: int
    open: int
    closed_idle: int

    @property
    def idle(self) -> int: ...


class ServerMetrics:
    """Counted by one process for itself; all times in seconds. A route is a template, never a path."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.process = ProcessMetrics(self._registry)
        self.in_flight = 0
        self._answered: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._define_requests()
        self._define_operations()
        self._define_purges()
        self._define_shadow()

    def _define_requests(self) -> None:
        registry = self._registry
        self._requests = Counter(
            "lotus_requests",
            "Answers, by method, template of the route and status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "lotus_http_request_duration_seconds",
            "From the head of a request to its answer.",
            ["method", "route"],
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        Gauge("lotus_requests_in_flight", "Requests being answered.", registry=registry).set_function(
            lambda: self.in_flight
        )
        self._waiting = Gauge(
            "lotus_http_requests_queued",
            "Requests that were let in and wait for a place.",
            ["limit"],
            registry=registry,
        )
        self._expected_wait = Gauge(
            "lotus_http_requests_expected_wait_seconds",
            "How long a request that comes now would wait for a place.",
            ["limit"],
            registry=registry,
        )
        self._turned_away = self._counted(
            "lotus_http_requests_shed",
            "Requests that were refused because they would have waited too long.",
        )
        self._answers_cut = self._counted(
            "lotus_http_answers_cut", "Answers that were cut because their callers did not take them."
        )
        self._http_connections = Gauge(
            "lotus_http_connections", "Connections of callers, by state.", ["state"], registry=registry
        )
        self._http_connections_max = Gauge(
            "lotus_http_connections_max", "Connections that callers may have open.", registry=registry
        )
        self._closed_idle = self._counted(
            "lotus_http_idle_connections_closed", "Idle connections that were closed to make room for others."
        )
        self._replays = Counter(
            "lotus_idempotent_replays",
            "Answers that were given before under the same key.",
            ["route"],
            registry=registry,
        )
        self._refusals = Counter(
            "lotus_http_errors",
            "Problem documents, by status and code; conflicts are those of 409.",
            ["status", "code"],
            registry=registry,
        )

    def _define_operations(self) -> None:
        registry = self._registry
        self._operations = Gauge(
            "lotus_operations", "Analyses the store keeps, by status.", ["store", "status"], registry=registry
        )
        self._unfinished = Gauge(
            "lotus_operations_unfinished",
            "Operations that have not ended.",
            ["store", "operation_type", "status"],
            registry=registry,
        )
        self._oldest = Gauge(
            "lotus_operation_oldest_seconds",
            "How long ago the oldest of them was accepted; zero when there is none.",
            ["store", "operation_type", "status"],
            registry=registry,
        )
        self._reachable = Gauge(
            "lotus_store_up",
            "Whether the store answered when last asked.",
            ["store"],
            registry=registry,
        )

    def _define_purges(self) -> None:
        registry = self._registry
        self._purged = Counter(
            "lotus_retention_deleted_rows", "Rows that retention removed.", ["kind"], registry=registry
        )
        for kind in PURGED_KINDS:
            self._purged.labels(kind)
        self._purge_seconds = Histogram(
            "lotus_purge_seconds", "How long a purge took.", buckets=PURGE_SECONDS, registry=registry
        )
        self._purge_failures = Counter(
            "lotus_purge_failures", "Purges that were broken off.", registry=registry
        )
        self._purged_at = Gauge(
            "lotus_purge_last_success_timestamp_seconds",
            "When a purge last went through; the start of the process before the first.",
            registry=registry,
        )
        self._purged_at.set(time.time())

    def _define_shadow(self) -> None:
        registry = self._registry
        self._shadow_kept = Counter("lotus_shadow_writes", "Acts the shadow repeated.", registry=registry)
        self._shadow_differed = Counter(
            "lotus_shadow_differences",
            "What the shadow did otherwise than the primary.",
            ["kind"],
            registry=registry,
        )
        self._shadow_missed = Counter(
            "lotus_shadow_dropped", "Acts that never reached the shadow.", registry=registry
        )
        self._shadow_waiting = Gauge(
            "lotus_shadow_backlog", "Acts that wait for the shadow.", registry=registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered after so many seconds."""
        count = self._answered.get((method, route, status))
        if count is None:
            count = self._answered[method, route, status] = self._counting(method, route, status)
        count(seconds)

    def watch_capacity(
        self,
        *,
        waiting: Mapping[str, Callable[[], int]],
        expected_wait: Mapping[str, Callable[[], float]],
        turned_away: Callable[[], int],
        answers_cut: Callable[[], int],
    ) -> None:
        """Has those who wait, by limit, and all who were refused, counted whenever somebody looks."""
        for limit, count in waiting.items():
            self._waiting.labels(limit).set_function(count)
        for limit, seconds in expected_wait.items():
            self._expected_wait.labels(limit).set_function(seconds)
        self._turned_away.count = turned_away
        self._answers_cut.count = answers_cut

    def watch_connections(self, connections: OpenConnections) -> None:
        """Has the connections of callers counted whenever somebody looks."""
        self._http_connections.labels("idle").set_function(lambda: connections.idle)
        self._http_connections.labels("busy").set_function(lambda: connections.open - connections.idle)
        self._http_connections_max.set(connections.most)
        self._closed_idle.count = lambda: connections.closed_idle

    def _counted(self, name: str, sentence: str) -> CountedElsewhere:
        counted = CountedElsewhere(name, sentence)
        self._registry.register(counted)
        return counted

    def replayed(self, route: str) -> None:
        """An answer was one that had been given before."""
        self._replays.labels(route).inc()

    def refused(self, status: int, code: str) -> None:
        """A caller was told a code."""
        self._refusals.labels(str(status), code).inc()

    def operations_kept(self, store: str, by_status: Mapping[str, int]) -> None:
        """So many analyses are kept; a status that is left out has none."""
        for status in ("PENDING", "RUNNING", "SUCCEEDED", "FAILED"):
            self._operations.labels(store, status).set(by_status.get(status, 0))

    def operations_unfinished(
        self, store: str, operation_type: str, status: str, *, count: int, oldest_seconds: float
    ) -> None:
        """So many operations have not ended, the oldest of them accepted that long ago."""
        self._unfinished.labels(store, operation_type, status).set(count)
        self._oldest.labels(store, operation_type, status).set(oldest_seconds)

    def store_answered(self, store: str) -> None:
        """The store was there when it was asked."""
        self._reachable.labels(store).set(1)

    def store_silent(self, store: str) -> None:
        """The store was not there: what is told of its operations is not known any more."""
        self._reachable.labels(store).set(0)
        for family in (self._operations, self._unfinished, self._oldest):
            for metric in family.collect():
                for sample in metric.samples:
                    if sample.labels["store"] == store:
                        family.labels(**sample.labels).set(math.nan)

    def purged(self, removed: Mapping[str, int], seconds: float) -> None:
        """See measures.PurgeMeasures."""
        for kind, count in removed.items():
            self._purged.labels(kind).inc(count)
        self._purge_seconds.observe(seconds)
        self._purged_at.set(time.time())

    def purge_failed(self) -> None:
        """See measures.PurgeMeasures."""
        self._purge_failures.inc()

    def shadow_written(self) -> None:
        """See measures.ShadowMeasures."""
        self._shadow_kept.inc()

    def shadow_differed(self, kind: str) -> None:
        """See measures.ShadowMeasures."""
        self._shadow_differed.labels(kind).inc()

    def shadow_dropped(self) -> None:
        """See measures.ShadowMeasures."""
        self._shadow_missed.inc()

    def shadow_backlog(self, count: Callable[[], int]) -> None:
        """See measures.ShadowMeasures."""
        self._shadow_waiting.set_function(count)

    def render(self) -> bytes:
        """All of it, as metrics.CONTENT_TYPE; with many routes the work of tens of milliseconds."""
        return rendered(self._registry)

    def _counting(self, method: str, route: str, status: int) -> Callable[[float], None]:
        # Finding a child by its labels costs more than counting on it.
        count = self._requests.labels(method, route, str(status)).inc
        observe = self._request_seconds.labels(method, route).observe

        def counted(seconds: float) -> None:
            count()
            observe(seconds)

        return counted
