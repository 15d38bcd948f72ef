"""The figures of several server processes under one port: every series with the process it is from."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

# The label that tells one server process from another; a restarted process keeps the number of its place.
PROCESS_LABEL = "server_process"
# A process that does not answer in this time is left out of this reading.
READ_SECONDS_MAX = 2.0

logger = structlog.get_logger()


class SupervisorMetrics:
    """What a supervisor tells: its own figures, and those of the processes it supervises.

    `sockets` are the Unix sockets on which the processes serve their figures, in the order of their numbers.
    """

    def __init__(self, sockets: Sequence[Path], running: Callable[[], int]) -> None:
        self._sockets = sockets
        self._registry = CollectorRegistry()
        disable_created_metrics()  # type: ignore[no-untyped-call]
        Gauge("lotus_server_processes", "Server processes that run.", registry=self._registry).set_function(
            running
        )
        self._restarts = Counter(
            "lotus_server_process_restarts",
            "Server processes that were started again after one ended by itself.",
            registry=self._registry,
        )

    def restarted(self) -> None:
        """A process that ended by itself is started again."""
        self._restarts.inc()

    def render(self) -> bytes:
        """All of it, in the text form; asks the processes one after the other, so not on an event loop."""
        told = []
        for number, path in enumerate(self._sockets):
            try:
                told.append((str(number), read_figures(path)))
            except (OSError, http.client.HTTPException) as error:
                # It starts, or it has ended: the gauge of processes tells so.
                logger.warning("server_process_metrics_missing", server_process=number, reason=repr(error))
        registry = CollectorRegistry()
        registry.register(_Merged(told))
        return generate_latest(self._registry) + generate_latest(registry)


def read_figures(path: Path) -> str:
    """The figures one process serves on a Unix socket. Raises OSError, HTTPException."""
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != http.HTTPStatus.OK:
            raise http.client.HTTPException(f"status {answer.status}")
        return text
    finally:
        connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=READ_SECONDS_MAX)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(READ_SECONDS_MAX)
        self.sock.connect(str(self._path))


class _Merged(Collector):
    """Families of several processes as one, each sample with the number of its process."""

    def __init__(self, told: Sequence[tuple[str, str]]) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        merged: dict[str, Metric] = {}
        for number, text in self._told:
            for family in text_string_to_metric_families(text):
                whole = merged.get(family.name)
                if whole is None:
                    whole = merged[family.name] = Metric(family.name, family.documentation, family.type)
                for sample in family.samples:
                    whole.add_sample(
                        sample.name, {PROCESS_LABEL: number, **sample.labels}, sample.value, sample.timestamp
                    )
        yield from merged.values()
