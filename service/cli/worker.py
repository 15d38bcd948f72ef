"""Run a worker until told to stop, or until nothing is left to do."""

from __future__ import annotations

import asyncio
import time

import click
import structlog
import uvloop
from aiohttp import web

from service.errors.storage import StoreRefused, StoreUnavailable
from service.observability import logs
from service.runtime.engine_process import tune_gc
from service.settings import production
from service.settings.process import Settings, SettingsInvalid
from service.web.http.listener import listen
from service.web.http.sockets import PortRefused
from service.wiring.exit_codes import refused
from service.wiring.shutdown import Signals

logger = structlog.get_logger()


@click.command("worker")
@click.option("--once", is_flag=True, help="Work until no operation is left, answer no HTTP, and end.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8001, show_default=True, help="Port to listen on; 0 takes a free one.")
def worker(once: bool, host: str, port: int) -> None:
    """Do the operations that servers accepted for workers; needs the store POSTGRES.

    Health and metrics are served on the address; everything else comes from environment variables.
    """
    try:
        chosen = production.read()
        chosen.require_workable()
    except SettingsInvalid as reason:
        raise refused(reason) from None
    logs.set_up(chosen.log_level.value)
    try:
        uvloop.run(_work_once(chosen) if once else _work(chosen, host, port))
    except (StoreUnavailable, StoreRefused, PortRefused) as reason:
        raise refused(reason) from None


async def _work(chosen: Settings, host: str, port: int) -> None:
    # What workers need beyond a server is a good part of a second, and the other commands do without it.
    from service.wiring.worker import assemble_worker

    started = time.perf_counter()
    signals = Signals()
    async with assemble_worker(chosen) as working:
        runner = web.AppRunner(working.app)
        await runner.setup()
        try:
            listener = await listen(runner, host, port)
            logger.info(
                "worker_listening",
                host=host,
                port=listener.sockets[0].getsockname()[1],
                concurrency=chosen.worker_concurrency,
                seconds=round(time.perf_counter() - started, 3),
            )
            tune_gc()
            warming = asyncio.create_task(working.warm_up())
            # It answers that it is stopping for as long as it does.
            await working.worker.run(signals.stop, signals.hurry)
            warming.cancel()
            listener.close()
        finally:
            await runner.cleanup()
    logger.info("stopped")


async def _work_once(chosen: Settings) -> None:
    from service.wiring.worker import assemble_worker

    signals = Signals()
    async with assemble_worker(chosen) as working:
        await working.store.check_writable()
        await working.worker.drain(signals.stop, signals.hurry)
    logger.info("stopped")
