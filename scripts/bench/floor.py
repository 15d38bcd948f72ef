"""The least a request on PostgreSQL can cost: read it, write the rows it leaves behind, answer it.

Nothing is parsed, computed or checked. The rows and the statements are the service's own, in one transaction,
through a pool as the driver makes it. The benchmark holds the service against it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import click
import uvloop
from aiohttp import web

from scripts.harness.postgres import free_port
from scripts.harness.sample_requests import a_proposal_body
from scripts.harness.servers import ROOT
from service.domains.callers import DEFAULT_TENANT, Caller
from service.domains.dpm_runs.values import DpmRun, edges_of, mapping_of, use_of
from service.domains.proposals.documents import stored_change
from service.domains.proposals.rules import ProposalRules
from service.domains.proposals.simulations import ProposalSimulation
from service.domains.proposals.values import ProposalChange
from service.domains.values.canonical import digest_of
from service.flows.dpm_runs.computing import Readers, Simulated, simulate_body
from service.flows.proposals.computing import SimulatedProposal, simulate_proposal_body
from service.flows.proposals.events import Prepared, RequestContext, creation
from service.flows.proposals.versions import build_documents, read_creation, simulate_asked
from service.runtime.clock import TimeOrderedIds
from service.settings.process import CONNECTIONS_MAX_DEFAULT
from service.storage.postgres.performing import perform
from service.storage.queries import Query, load
from service.storage.sql import idempotency, lineage
from service.storage.sql.dpm_runs.rows import row_of
from service.storage.sql.proposals import simulations
from service.storage.sql.proposals.rows import (
    row_of_event,
    row_of_key,
    row_of_proposal,
    row_of_version,
)
from service.web.answers.proposals.proposals import STORED
from service.web.requests import bodies
from service.wiring.readers import LENIENT_PROPOSAL_READERS

DEMO = ROOT / "scripts" / "demo" / "multi_currency.json"
RUNS, KEYS, PROPOSALS, SIMULATIONS = (
    load("postgres", noun) for noun in ("dpm_runs", "idempotency", "proposals", "proposal_simulations")
)
READERS = Readers(bodies.decode_rebalance, bodies.decode_batch, bodies.decode_options)
POSITIONS = 10
SIMULATE, PROPOSE, CREATE = (
    "/rebalance/simulate",
    "/rebalance/proposals/simulate",
    "/rebalance/proposals",
)
PROPOSAL = a_proposal_body(positions=POSITIONS, seed=7)
CREATION = json.dumps({"created_by": "advisor_1", "simulate_request": json.loads(PROPOSAL)}).encode()


class Floor:
    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.new_id = TimeOrderedIds()
        self.computed: Simulated = simulate_body(READERS, DEMO.read_bytes(), self.new_id("rr"), "corr_floor")
        self.proposed: SimulatedProposal = simulate_proposal_body(
            LENIENT_PROPOSAL_READERS.simulate, PROPOSAL, "corr_floor", "floor"
        )
        self.created: Prepared = a_creation(self.new_id)
        self.stored: ProposalChange = stored_change(self.created.change)

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            self.dsn, min_size=CONNECTIONS_MAX_DEFAULT, max_size=CONNECTIONS_MAX_DEFAULT
        ) as pool:
            self.pool = pool
            yield

    async def simulate(self, request: web.Request) -> web.Response:
        await request.read()
        run = self.run_of(request.headers["Idempotency-Key"])
        row = row_of(run, digest_of(run.result))
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
            await write(
                conn,
                (KEYS["claim_key"], idempotency.row_of(mapping_of(run))),
                (RUNS["insert_request"], asked),
                (RUNS["insert_run"], row),
            )
            await perform(conn, lineage.insert_edges, run.tenant_id, edges_of(run))
            await perform(conn, idempotency.insert_use, use_of(run))
        return web.Response(body=run.result, content_type="application/json")

    async def propose(self, request: web.Request) -> web.Response:
        await request.read()
        kept = ProposalSimulation(
            tenant_id=DEFAULT_TENANT,
            idempotency_key=request.headers["Idempotency-Key"],
            request_hash=self.proposed.request_hash,
            request=self.proposed.request_body,
            result=self.proposed.result,
            created_at=datetime.now(UTC),
        )
        async with self.pool.acquire() as conn, conn.transaction():
            await write(conn, (SIMULATIONS["insert_simulation"], simulations.row_of(kept)))
        return web.Response(body=kept.result, content_type="application/json")

    async def create(self, request: web.Request) -> web.Response:
        await request.read()
        change = self.change_of(request.headers["Idempotency-Key"])
        assert change.key is not None and change.version is not None, "as the template"
        async with self.pool.acquire() as conn, conn.transaction():
            await write(
                conn,
                (PROPOSALS["claim_key"], row_of_key(change.key)),
                (PROPOSALS["insert_proposal"], row_of_proposal(change.proposal)),
                (PROPOSALS["insert_version"], row_of_version(change.version)),
                (PROPOSALS["insert_event"], row_of_event(change.event)),
            )
            await perform(conn, lineage.insert_edges, DEFAULT_TENANT, change.edges(None))
        return web.Response(body=self.created.answer, content_type="application/json")

    def change_of(self, key: str) -> ProposalChange:
        """The creation that was prepared, under ids and a key of its own."""
        change = self.stored
        proposal_id = self.new_id("pp")
        assert change.key is not None and change.version is not None, "a creation has both"
        return replace(
            change,
            proposal=replace(change.proposal, proposal_id=proposal_id),
            event=replace(change.event, event_id=self.new_id("pwe"), proposal_id=proposal_id),
            version=replace(change.version, proposal_version_id=self.new_id("ppv"), proposal_id=proposal_id),
            key=replace(change.key, idempotency_key=key, proposal_id=proposal_id),
        )

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


def a_creation(new_id: TimeOrderedIds) -> Prepared:
    """What the service keeps of the creation that is sent."""
    readers = LENIENT_PROPOSAL_READERS
    asked = read_creation(readers, CREATION)
    outcome = simulate_asked(readers.simulate, asked, "corr_floor", "floor")
    at = datetime.now(UTC)
    evidence_kept = ProposalRules().evidence_kept
    documents = build_documents(readers.simulate, asked, outcome, at, evidence_kept)
    return creation(
        Caller.local(),
        new_id,
        STORED,
        asked,
        documents,
        RequestContext(idempotency_key="floor", correlation_id=None),
        at,
    )


async def write(conn: Any, *rows: tuple[Query, Mapping[str, Any]]) -> None:
    for query, values in rows:
        await conn.execute(query.text, *query.positional(values))


@click.command()
@click.option("--dsn", required=True)
def main(dsn: str) -> None:
    """Serve on a free port and say which."""
    floor = Floor(dsn)
    app = web.Application()
    app.cleanup_ctx.append(floor.connected)
    app.router.add_post(SIMULATE, floor.simulate)
    app.router.add_post(PROPOSE, floor.propose)
    app.router.add_post(CREATE, floor.create)
    port = free_port()

    def say(_: object) -> None:
        print(json.dumps({"event": "listening", "port": port}), file=sys.stderr, flush=True)

    web.run_app(app, host="127.0.0.1", port=port, access_log=None, loop=uvloop.new_event_loop(), print=say)


if __name__ == "__main__":
    main()
