"""What a worker tells those who watch it, in the text form of Prometheus."""

from __future__ import annotations

import math
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from service.observability.process_metrics import ProcessMetrics, rendered

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

# Known from the start, so that a rate is zero and not missing before the first of its kind.
OUTCOMES = ("SUCCEEDED", "FAILED", "RELEASED", "LEASE_LOST", "ABORTED")
# From one small scenario to twenty large ones.
ATTEMPT_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
# From an idle worker that is woken up at once to a fleet that is a night behind.
WAIT_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 3600.0, 36_000.0)


class WorkerMetrics:
    """Counted by one process for itself; all times in seconds."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.process = ProcessMetrics(self._registry)
        self._started = Counter(
            "lotus_operations_started", "Attempts that were begun.", registry=self._registry
        )
        self._again = Counter(
            "lotus_operation_retries",
            "Attempts that were not the first of their operation.",
            registry=self._registry,
        )
        self._ended = Counter(
            "lotus_operations_ended",
            "Attempts that came to an end, by how they ended.",
            ["outcome"],
            registry=self._registry,
        )
        for outcome in OUTCOMES:
            self._ended.labels(outcome)
        self._attempt_seconds = Histogram(
            "lotus_operation_seconds",
            "How long an attempt took.",
            buckets=ATTEMPT_SECONDS,
            registry=self._registry,
        )
        self._wait_seconds = Histogram(
            "lotus_operation_wait_seconds",
            "From the acceptance of an operation to the start of its first attempt.",
            buckets=WAIT_SECONDS,
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "lotus_operations_in_flight", "Operations being worked on.", registry=self._registry
        )
        self._waiting = Gauge(
            "lotus_job_queue_depth", "Offers no worker has taken; NaN while unknown.", registry=self._registry
        )
        self._waiting.set(math.nan)

    def started(self, waited_seconds: float, attempt: int) -> None:
        """An attempt began; `waited_seconds` since its operation was accepted."""
        self._started.inc()
        if attempt == 1:
            self._wait_seconds.observe(waited_seconds)
        else:
            # It waited for an earlier attempt, which says nothing of how busy the fleet is.
            self._again.inc()

    def ended(self, outcome: str, seconds: float) -> None:
        """An attempt ended after so many seconds, as one of OUTCOMES."""
        self._ended.labels(outcome).inc()
        self._attempt_seconds.observe(seconds)

    def watch_in_flight(self, count: Callable[[], int]) -> None:
        """Has the operations being worked on counted whenever somebody looks."""
        self._in_flight.set_function(count)

    def waiting(self, count: int | None) -> None:
        """How many jobs wait; None when that is unknown."""
        self._waiting.set(math.nan if count is None else count)

    def render(self) -> bytes:
        """All of it, as CONTENT_TYPE."""
        return rendered(self._registry)
