"""What a worker answers over HTTP: whether it lives, whether it is at work, and what it counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from service.observability.worker_metrics import CONTENT_TYPE, WorkerMetrics
from service.worker.loop import Worker

UP = b'{"status":"UP"}'

WORKER = web.AppKey("WORKER", Worker)
METRICS = web.AppKey("METRICS", WorkerMetrics)


def build(*, worker: Worker, metrics: WorkerMetrics, middlewares: Sequence[Middleware]) -> web.Application:
    """The middlewares answer what is refused; they are the same as those of the API."""
    app = web.Application(middlewares=middlewares)
    app[WORKER] = worker
    app[METRICS] = metrics
    app.add_routes(
        [
            web.get("/health/live", live),
            web.get("/health/ready", ready),
            web.get("/metrics", show_metrics, allow_head=False),
        ]
    )
    return app


async def live(_: web.Request) -> web.Response:
    """The process runs and its loop turns."""
    return web.Response(body=UP, content_type="application/json")


async def ready(request: web.Request) -> web.Response:
    """The worker takes offers: its store answers, its queue is connected, and it is not stopping."""
    await request.app[WORKER].check_ready()
    return web.Response(body=UP, content_type="application/json")


async def show_metrics(request: web.Request) -> web.Response:
    """In a thread, for the text may take longer than the loop may be held up."""
    text = await asyncio.to_thread(request.app[METRICS].render)
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})
