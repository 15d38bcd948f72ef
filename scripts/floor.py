"""The least a simulate request on PostgreSQL can cost: read it, write the rows of a run, answer it.

Nothing is parsed, computed or checked. The rows and the statements are the service's own, in one transaction,
through a pool as the driver makes it. The benchmark holds the service against it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import click
import uvloop
from aiohttp import web

from scripts.postgres import free_port
from scripts.servers import ROOT
from service.clock import TimeOrderedIds
from service.domains.canonical import digest_of
from service.domains.dpm_runs import DEFAULT_TENANT, DpmRun, edges_of, mapping_of, use_of
from service.flows.dpm_computing import Readers, Simulated, simulate_body
from service.settings import CONNECTIONS_MAX_DEFAULT
from service.storage.postgres import idempotency, lineage
from service.storage.postgres.run_rows import row_of
from service.storage.queries import load
from service.web import bodies

DEMO = ROOT / "scripts" / "demo" / "multi_currency.json"
RUNS, KEYS, EDGES = (load("postgres", noun) for noun in ("dpm_runs", "idempotency", "lineage"))
READERS = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)


class Floor:
    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.new_id = TimeOrderedIds()
        self.computed: Simulated = simulate_body(READERS, DEMO.read_bytes(), self.new_id("rr"), "corr_floor")

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            self.dsn, min_size=CONNECTIONS_MAX_DEFAULT, max_size=CONNECTIONS_MAX_DEFAULT
        ) as pool:
            self.pool = pool
            yield

    async def simulate(self, request: web.Request) -> web.Response:
        await request.read()
        run = self.run_of(request.headers["Idempotency-Key"])
        row = row_of(run)
        asked = {
            "tenant_id": run.tenant_id,
            "request_id": run.request_id,
            "request_hash": run.request_hash,
            "created_at": run.created_at,
            "correlation_id": None,
            "body_sha256": digest_of(self.computed.request_body),
            "body": self.computed.request_body,
        }
        async with self.pool.acquire() as conn, conn.transaction():
            for query, values in (
                (KEYS["claim_key"], idempotency.row_of(mapping_of(run))),
                (RUNS["insert_request"], asked),
                (RUNS["insert_run"], row),
            ):
                await conn.execute(query.text, *query.positional(values))
            await lineage.insert_edges(conn, run.tenant_id, edges_of(run))
            await idempotency.insert_use(conn, use_of(run))
        return web.Response(body=run.result, content_type="application/json")

    def run_of(self, key: str) -> DpmRun:
        run_id = self.new_id("rr")
        return DpmRun(
            rebalance_run_id=run_id,
            tenant_id=DEFAULT_TENANT,
            correlation_id=self.new_id("corr"),
            request_hash=self.computed.request_hash,
            idempotency_key=key,
            portfolio_id=self.computed.portfolio_id,
            status=self.computed.status,
            engine_version="1",
            request_id=run_id,
            scenario=None,
            created_at=datetime.now(UTC),
            result=self.computed.result,
        )


@click.command()
@click.option("--dsn", required=True)
def main(dsn: str) -> None:
    """Serve on a free port and say which."""
    floor = Floor(dsn)
    app = web.Application()
    app.cleanup_ctx.append(floor.connected)
    app.router.add_post("/rebalance/simulate", floor.simulate)
    port = free_port()

    def say(_: object) -> None:
        print(json.dumps({"event": "listening", "port": port}), file=sys.stderr, flush=True)

    web.run_app(app, host="127.0.0.1", port=port, access_log=None, loop=uvloop.new_event_loop(), print=say)


if __name__ == "__main__":
    main()
