"""Spans for OpenTelemetry, which is installed only where it is wanted (the extra `otel`).

Where they go, and how many of them, is said by the standard OTEL_ variables.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import service
from service.observability import trace_context

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Span

SERVICE_NAME = "lotus-manage"
SERVER_ERRORS = 500


class TelemetryMissing(Exception):
    """Spans are asked for and nothing is there to make them; the message says what to install."""

    def __init__(self) -> None:
        super().__init__(
            "DPM_OTEL_ENABLED is on, and OpenTelemetry is not installed: install lotus-manage[otel]"
        )


class Telemetry:
    """Makes a span of every request, with one inside for each act of the store and piece of pure work."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._api = trace
        self._provider = provider
        self._tracer = provider.get_tracer(SERVICE_NAME, service.__version__)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, method: str, carrier: dict[str, str]) -> Iterator[Span]:
        """The span of a request; its caller's span, if the carrier names one, is its parent.

        The code inside says what it was and how it ended. Spans begun inside belong to its trace.
        """
        with self._tracer.start_as_current_span(
            method,
            context=self._propagator.extract(carrier),
            kind=self._api.SpanKind.SERVER,
            attributes={"http.request.method": method},
        ) as span:
            place = span.get_span_context()
            if not place.is_valid:
                yield span
                return
            trace_id, span_id = (
                self._api.format_trace_id(place.trace_id),
                self._api.format_span_id(place.span_id),
            )
            with trace_context.within(trace_context.TraceContext(trace_id, span_id)):
                yield span

    def answered(self, span: Span, *, method: str, route: str, status: int, correlation_id: str) -> None:
        """Says on a request's span what it was and how it ended."""
        span.update_name(f"{method} {route}")
        span.set_attributes(
            {
                "http.route": route,
                "http.response.status_code": status,
                "lotus.correlation_id": correlation_id,
            }
        )
        if status >= SERVER_ERRORS:
            span.set_status(self._api.StatusCode.ERROR)

    @contextmanager
    def child(self, name: str) -> Iterator[object]:
        """See measures.Spans; what goes on beside requests would only make traces of one span."""
        if not self._api.get_current_span().is_recording():
            yield None
            return
        with self._tracer.start_as_current_span(name) as span:
            yield span

    async def close(self) -> None:
        """Exports the spans that wait; gives up by itself when no collector takes them."""
        await asyncio.to_thread(self._provider.shutdown)


def start(processor: SpanProcessor | None = None) -> Telemetry:
    """Spans from here on, in batches to the collector that the variables name. Raises TelemetryMissing."""
    try:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider

        return Telemetry(_provided(TracerProvider, Resource, OTELResourceDetector, processor or _exporting()))
    except ImportError:
        raise TelemetryMissing from None


def _provided(provider_of: Any, resource_of: Any, detector_of: Any, processor: SpanProcessor) -> Any:
    ours = resource_of({"service.name": SERVICE_NAME, "service.version": service.__version__})
    # What the variables say of this process comes before what we say of it.
    resource = resource_of.create().merge(ours).merge(detector_of().detect())
    provider = provider_of(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider


def _exporting() -> SpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter())
