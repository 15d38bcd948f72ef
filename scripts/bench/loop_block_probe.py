"""A server that knows how long its event loop stood still: `GET /longest-block` tells it and starts anew."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
from aiohttp import web

from service.cli.serve import serve
from service.settings.process import Settings
from service.wiring import server
from service.wiring.server import Running

PATH = "/longest-block"
TICK_SECONDS = 0.001

assemble = server.assemble


@dataclass(slots=True)
class Block:
    """The longest time between two ticks, and how much of it the thread of the loop was computing.

    The rest it waited, for a call that blocks or for a core that another process had.
    """

    seconds: float = 0.0
    computing_seconds: float = 0.0


class Watch:
    def __init__(self) -> None:
        self.longest = Block()

    async def run(self) -> None:
        while True:
            began, computed = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK_SECONDS)
            seconds = time.perf_counter() - began
            if seconds > self.longest.seconds:
                self.longest = Block(seconds, time.thread_time() - computed)

    async def tell(self, _: web.Request) -> web.Response:
        told, self.longest = self.longest, Block()
        return web.Response(body=msgspec.json.encode(told), content_type="application/json")


@asynccontextmanager
async def assemble_watched(settings: Settings) -> AsyncIterator[Running]:
    async with assemble(settings) as running:
        watch = Watch()
        running.app.router.add_get(PATH, watch.tell)
        ticking = asyncio.create_task(watch.run())
        try:
            yield running
        finally:
            ticking.cancel()


if __name__ == "__main__":
    server.assemble = assemble_watched
    serve()
