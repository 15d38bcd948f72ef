"""The trace a request belongs to: taken from its caller, put on its log lines, told where it is wanted."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from structlog.contextvars import bind_contextvars

from service.observability import trace_context
from service.observability.opentelemetry import Telemetry
from service.web import keys
from service.web.middleware.metrics import route_of

CARRIED = (trace_context.HEADER, "tracestate")


@web.middleware
async def follow_traces(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Without spans of our own, the span on a log line is the caller's."""
    # Two headers name two traces, which is as good as none.
    sent = request.headers.getall(trace_context.HEADER, ())
    trace = trace_context.parse(sent[0]) if len(sent) == 1 else None
    if trace is not None:
        trace_context.follow(trace)
        bind_contextvars(trace_id=trace.trace_id, span_id=trace.span_id)
    return await handler(request)


def record_traces(telemetry: Telemetry) -> Middleware:
    """Middleware: a span of every request; a log line has its trace and its span."""

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = request.headers
        carrier = {name: headers[name] for name in CARRIED if len(headers.getall(name, ())) == 1}
        with telemetry.request(request.method, carrier) as span:
            trace = trace_context.current()
            if trace is not None:
                bind_contextvars(trace_id=trace.trace_id, span_id=trace.span_id)
            answer = await handler(request)
            telemetry.answered(
                span,
                method=request.method,
                route=route_of(request),
                status=answer.status,
                correlation_id=request.get(keys.CORRELATION_ID, ""),
            )
            return answer

    return record
