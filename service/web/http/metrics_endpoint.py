"""What a server answers on the port of those who watch it: its figures, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from aiohttp import web

from service.observability.worker_metrics import CONTENT_TYPE
from service.web.http.listener import listen
from service.web.middleware.problem_details import refusals


class Rendered(Protocol):
    def render(self) -> bytes: ...


METRICS: web.AppKey[Rendered] = web.AppKey("METRICS", Rendered)


def build(metrics: Rendered) -> web.Application:
    app = web.Application(middlewares=[refusals])
    app[METRICS] = metrics
    app.add_routes([web.get("/metrics", show_metrics, allow_head=False)])
    return app


async def show_metrics(request: web.Request) -> web.Response:
    """In a thread, for with many routes the text takes longer than the loop may be held up."""
    text = await asyncio.to_thread(request.app[METRICS].render)
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE})


@asynccontextmanager
async def metrics_listening(metrics: Rendered, host: str, port: int | None) -> AsyncIterator[int | None]:
    """Serves the figures for as long as it is open, and gives the port; without a port it does nothing.

    Port 0 takes a free one. Raises PortRefused.
    """
    if port is None:
        yield None
        return
    runner = web.AppRunner(build(metrics))
    await runner.setup()
    try:
        listener = await listen(runner, host, port)
        yield listener.sockets[0].getsockname()[1]
        listener.close()
    finally:
        await runner.cleanup()


@asynccontextmanager
async def metrics_on_socket(metrics: Rendered, path: Path | None) -> AsyncIterator[None]:
    """Serves the figures on a Unix socket for as long as it is open; without a path it does nothing."""
    if path is None:
        yield
        return
    runner = web.AppRunner(build(metrics))
    await runner.setup()
    try:
        # What a process that was killed left there is in the way of its successor.
        path.unlink(missing_ok=True)
        await web.UnixSite(runner, str(path)).start()
        yield
    finally:
        await runner.cleanup()
