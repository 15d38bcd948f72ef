"""Run the API until told to stop."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import click
import structlog
import uvloop
from aiohttp import web

from service.admin.migrations import migrate
from service.errors.storage import StoreRefused, StoreUnavailable
from service.observability import logs
from service.observability.opentelemetry import TelemetryMissing
from service.runtime import open_files
from service.runtime.clock import TimeOrderedIds
from service.runtime.engine_process import tune_gc
from service.settings import production
from service.settings.environment import StoreBackend
from service.settings.policy_packs import CatalogBackend
from service.settings.process import Settings, SettingsInvalid
from service.storage.schema import SchemaRefused
from service.web.http.admission import CAPACITY
from service.web.http.connection import AcceptGate
from service.web.http.listener import listen
from service.web.http.metrics_endpoint import metrics_listening, metrics_on_socket
from service.web.http.sockets import PortRefused
from service.web.middleware.limits import watch
from service.wiring import server, supervisor
from service.wiring.capacity import connections_of
from service.wiring.exit_codes import EXIT_REFUSED, refused
from service.wiring.shutdown import CUT_SECONDS, Signals, stop_serving

# More processes than any machine of ours has cores.
PROCESSES_MAX = 256

logger = structlog.get_logger()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65_535),
    help="Port of the figures for Prometheus; 0 takes a free one.  [default: DPM_METRICS_PORT, or none]",
)
@click.option(
    "--processes",
    type=click.IntRange(0, PROCESSES_MAX),
    default=1,
    show_default=True,
    help="Server processes on the port; 0 starts one for each core.",
)
@click.option("--supervised", type=click.Path(path_type=Path), hidden=True)
def serve(host: str, port: int, metrics_port: int | None, processes: int, supervised: Path | None) -> None:
    """Run the API; everything but the address comes from environment variables."""
    count = supervisor.count_of(processes)
    try:
        chosen = production.read()
        if count > 1:
            supervisor.require_shared_stores(chosen)
    except SettingsInvalid as reason:
        raise refused(reason) from None
    if metrics_port is not None:
        chosen = replace(chosen, serving=replace(chosen.serving, metrics_port=metrics_port))
    logs.set_up(chosen.log_level.value)
    for path in files_of(chosen):
        try:
            # An embedded file has no other process to migrate it.
            if migrate.check(path):
                migrate.apply(path)
        except SchemaRefused as reason:
            raise refused(reason) from None
    prepare_shadow(chosen)
    open_files.raise_limit()
    try:
        if count > 1:
            asyncio.run(supervisor.supervise(supervisor.plan_of(chosen, count=count, host=host, port=port)))
        else:
            uvloop.run(_serve(chosen, host, port, supervised))
    except supervisor.ServerProcessRefused:
        # The process has said why.
        raise SystemExit(EXIT_REFUSED) from None
    except (StoreUnavailable, StoreRefused, PortRefused, TelemetryMissing) as reason:
        raise refused(reason) from None


def files_of(chosen: Settings) -> set[Path]:
    """The embedded files that the stores are in."""
    places = (
        (chosen.store_backend, chosen.sql_path),
        (chosen.proposals.store_backend, chosen.proposals.sql_path),
    )
    files = {path for backend, path in places if backend is StoreBackend.SQL}
    if chosen.policy.catalog_backend is CatalogBackend.SQL:
        files.add(chosen.policy.sql_path)
    return files


def prepare_shadow(chosen: Settings) -> None:
    """Brings the embedded file of a shadow up to date; where that fails, the shadow alone is away."""
    shadow = chosen.shadow
    if shadow.store_backend is not StoreBackend.SQL:
        return
    try:
        if migrate.check(shadow.sql_path):
            migrate.apply(shadow.sql_path)
    except Exception as reason:
        logger.warning("shadow_not_migrated", path=str(shadow.sql_path), cause=repr(reason))


async def _serve(chosen: Settings, host: str, port: int, supervised: Path | None) -> None:
    """With `supervised`, one of several on the port: its figures go to that Unix socket."""
    metrics_port_wanted = chosen.serving.metrics_port if supervised is None else None
    started = time.perf_counter()
    signals = Signals()
    async with (
        server.assemble(chosen) as running,
        metrics_listening(running.metrics, host, metrics_port_wanted) as metrics_port,
        metrics_on_socket(running.metrics, supervised),
    ):
        runner = web.AppRunner(running.app, shutdown_timeout=CUT_SECONDS)
        capacity = running.app[CAPACITY]
        connections = connections_of(chosen)
        running.metrics.watch_connections(connections)
        gate = AcceptGate(
            capacity=capacity,
            connections=connections,
            new_id=TimeOrderedIds(),
            head_bytes_max=chosen.serving.head_bytes_max,
        )
        await runner.setup()
        try:
            listener = await listen(runner, host, port, gate, shared=supervised is not None)
            logger.info(
                "listening" if supervised is None else "server_process_listening",
                host=host,
                port=listener.sockets[0].getsockname()[1],
                metrics_port=metrics_port,
                store=chosen.store_backend.value,
                connections_max=connections.most,
                seconds=round(time.perf_counter() - started, 3),
            )
            tune_gc()
            works = [*running.beside(chosen), watch(capacity)]
            if supervised is not None:
                supervisor.say_listening()
                works.append(supervisor.stop_with_supervisor())
            beside = [asyncio.create_task(work) for work in works]
            await signals.stop.wait()
            logger.info("stopping")
            await stop_serving(
                runner,
                listener,
                signals=signals,
                health=running.health,
                capacity=capacity,
                drain_seconds=chosen.serving.drain_seconds,
                stop_seconds_max=chosen.stop_seconds_max,
            )
            for task in beside:
                task.cancel()
        finally:
            await runner.cleanup()
    logger.info("stopped")
