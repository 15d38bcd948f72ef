"""Run the API until told to stop."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import click
import structlog
import uvloop
from aiohttp import web

from service import logs, settings, wiring
from service.cli import migrate
from service.cli.exits import refused
from service.errors import StoreUnavailable
from service.processes import settle_memory
from service.setting_values import StoreBackend
from service.settings import Settings, SettingsInvalid
from service.storage.schema import SchemaRefused
from service.web.listening import PortRefused, listen

logger = structlog.get_logger()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on; 0 takes a free one.")
def serve(host: str, port: int) -> None:
    """Run the API; everything but the address comes from environment variables."""
    try:
        chosen = settings.read()
    except SettingsInvalid as reason:
        raise refused(reason) from None
    logs.set_up(chosen.log_level.value)
    for path in files_of(chosen):
        try:
            # An embedded file has nobody else to bring it up to date.
            if migrate.check(path):
                migrate.apply(path)
        except SchemaRefused as reason:
            raise refused(reason) from None
    try:
        uvloop.run(_serve(chosen, host, port))
    except (StoreUnavailable, PortRefused) as reason:
        raise refused(reason) from None


def files_of(chosen: Settings) -> set[Path]:
    """The embedded files that the stores are in."""
    places = (
        (chosen.store_backend, chosen.sql_path),
        (chosen.proposals.store_backend, chosen.proposals.sql_path),
    )
    return {path for backend, path in places if backend is StoreBackend.SQL}


async def _serve(chosen: Settings, host: str, port: int) -> None:
    started = time.perf_counter()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with wiring.assemble(chosen) as running:
        runner = web.AppRunner(running.app, shutdown_timeout=chosen.stop_seconds_max)
        await runner.setup()
        try:
            listener = await listen(runner, host, port)
            logger.info(
                "listening",
                host=host,
                port=listener.sockets[0].getsockname()[1],
                store=chosen.store_backend.value,
                seconds=round(time.perf_counter() - started, 3),
            )
            settle_memory()
            beside = [asyncio.create_task(work) for work in running.beside(chosen)]
            await stop.wait()
            logger.info("stopping")
            running.health.stop()
            listener.close()
            for task in beside:
                task.cancel()
        finally:
            await runner.cleanup()
    logger.info("stopped")
