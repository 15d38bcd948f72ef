"""Writes the examples of the API's description, and the description itself.

Usage: python -m scripts.openapi

The examples are what the service answers when the requests below are played to it, by a clock that stands
still during each and with ids that are drawn in order, so that playing them again gives the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from aiohttp.test_utils import TestClient, TestServer

from scripts.harness.servers import ROOT
from service.domains.callers import DEFAULT_TENANT
from service.domains.operations import Operation, OperationStatus, OperationType
from service.domains.proposals.tasks import ProposalTask
from service.flows.health import HealthFlow
from service.settings.process import Settings, read
from service.storage.memory.store import MemoryStore
from service.web.handlers import openapi as handler
from service.web.openapi import examples
from service.wiring import flows as wiring_flows
from service.wiring import readers
from service.wiring.stores import Stores

FOLDER = ROOT / "service" / "web" / "openapi"
EXAMPLES = FOLDER / examples.FILE
DOCUMENT = FOLDER / handler.FILE
DEMO = ROOT / "scripts" / "demo" / "multi_currency.json"

STARTED = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
# The layout of drawn ids (UUIDv7), without chance.
FIRST_ID = int(STARTED.timestamp() * 1000) << 80 | 0x7 << 76 | 0b10 << 62

CORRELATION = {"X-Correlation-Id": "corr_demo_1"}
KEY = {"Idempotency-Key": "demo-key-1", **CORRELATION}
PACK_ID = "dpm_core_sg"

MIGRATION_TABLE: dict[str, Any] = {
    "portfolio_snapshot": {
        "portfolio_id": "pf_1",
        "base_currency": "SGD",
        "positions": [{"instrument_id": "EQ_1", "quantity": "20"}],
        "cash_balances": [{"currency": "SGD", "amount": "10000.00"}],
    },
    "market_data_snapshot": {
        "prices": [{"instrument_id": "EQ_1", "price": "100.00", "currency": "SGD"}],
        "fx_rates": [],
    },
    "shelf_entries": [{"instrument_id": "EQ_1", "status": "APPROVED", "asset_class": "EQUITY"}],
}
MODEL = {"targets": [{"instrument_id": "EQ_1", "weight": "0.40"}]}
SIMULATION: dict[str, Any] = {
    **MIGRATION_TABLE,
    "model_portfolio": MODEL,
    "options": {"single_position_max_weight": "0.50"},
}
SCENARIOS: dict[str, Any] = {
    **MIGRATION_TABLE,
    "model_portfolio": MODEL,
    "scenarios": {
        "as_it_is": {"description": "Nothing but the model.", "options": {}},
        "small_steps": {"options": {"max_turnover_pct": "0.05"}},
    },
}
PACK = {
    "version": "2026.1",
    "turnover_policy": {"max_turnover_pct": "0.15"},
    "constraint_policy": {"group_constraints": {"sector:TECH": {"max_weight": "0.30"}}},
    "workflow_policy": {"workflow_requires_client_consent": True},
}
PROPOSAL: dict[str, Any] = {
    **MIGRATION_TABLE,
    "options": {"enable_proposal_simulation": True},
    "proposed_cash_flows": [{"currency": "SGD", "amount": "500.00", "description": "Deposit"}],
    "proposed_trades": [{"side": "BUY", "instrument_id": "EQ_1", "quantity": "10"}],
    "reference_model": {
        "model_id": "mdl_balanced",
        "as_of": "2026-11-20",
        "base_currency": "SGD",
        "asset_class_targets": [
            {"asset_class": "EQUITY", "weight": "0.40"},
            {"asset_class": "CASH", "weight": "0.60"},
        ],
    },
}
CREATION: dict[str, Any] = {
    "created_by": "advisor_1",
    "simulate_request": PROPOSAL,
    "metadata": {"title": "Add to EQ_1", "jurisdiction": "SG", "mandate_id": "mandate_1"},
}
VERSION = {"created_by": "advisor_1", "simulate_request": PROPOSAL, "expected_revision": 1}
SUBMISSION = {
    "event_type": "SUBMITTED_FOR_RISK_REVIEW",
    "actor_id": "advisor_1",
    "expected_state": "DRAFT",
    "reason": {"comment": "As discussed."},
}
APPROVAL = {
    "approval_type": "RISK",
    "approved": True,
    "actor_id": "risk_officer_1",
    "expected_state": "RISK_REVIEW",
    "details": {"ticket": "R-17"},
}
DECISION = {
    "action": "APPROVE",
    "reason_code": "WITHIN_MANDATE",
    "comment": "Checked against the mandate.",
    "actor_id": "reviewer_1",
    "expected_workflow_status": "PENDING_REVIEW",
}


class SteppedClock:
    """Moves on only when it is told to."""

    def __init__(self) -> None:
        self._now = STARTED

    def now(self) -> datetime:
        return self._now

    def step(self) -> None:
        self._now += timedelta(minutes=1)


class OrderedIds:
    """Draws ids whose numbers follow each other."""

    def __init__(self) -> None:
        self._next = FIRST_ID

    def __call__(self, prefix: str) -> str:
        self._next += 1
        return f"{prefix}_{self._next:032x}"


class Player:
    """Plays requests and keeps what was asked and answered by the names of the examples."""

    def __init__(self, client: TestClient[Any, Any], clock: SteppedClock) -> None:
        self._client = client
        self._clock = clock
        self.kept: dict[str, dict[str, Any]] = {}

    async def play(
        self,
        name: str,
        path: str,
        body: Any = None,
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Gives the answer; anything but success is a bug of the script."""
        self._clock.step()
        sent = CORRELATION if headers is None else headers
        answer = await self._client.request(
            method or ("GET" if body is None else "POST"),
            path,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": "application/json", **sent},
        )
        text = await answer.read()
        assert answer.status < 300, (name, path, answer.status, text)
        answered = msgspec.json.decode(text)
        self.kept[name] = {"request": body, "answer": answered} if body is not None else {"answer": answered}
        return answered

    async def await_end(self, path: str) -> None:
        """Returns once the operation has ended, at the instant it was accepted at."""
        while (await (await self._client.get(path)).json())["finished_at"] is None:
            await asyncio.sleep(0.01)


async def record() -> dict[str, dict[str, Any]]:
    """Every example by its name, played to a service with everything switched on."""
    clock, ids = SteppedClock(), OrderedIds()
    settings = everything_on(read())
    store = MemoryStore()
    flows = wiring_flows.flows_of(
        settings,
        Stores.all_in(store),
        HealthFlow(store),
        wiring_flows.runtime_of(settings, clock, ids, done_here),
        readers.readers_of(settings),
    )
    async with TestClient(TestServer(wiring_flows.application_of(settings, flows, ids))) as client:
        player = Player(client, clock)
        await play_runs(player)
        await play_operations(player)
        await play_packs(player)
        await play_proposals(player)
        await play_cancellations(player, store, clock, ids)
        await player.play("health", "/health/live")
    return player.kept


def everything_on(settings: Settings) -> Settings:
    return replace(
        settings,
        lineage_apis_enabled=True,
        history_apis_enabled=True,
        workflow_enabled=True,
        workflow_review_statuses=frozenset({"READY", "PENDING_REVIEW"}),
        policy=replace(settings.policy, enabled=True, admin_apis_enabled=True),
    )


async def done_here(work: Any, *args: Any) -> Any:
    """Stands in for the engine processes."""
    return work(*args)


async def play_runs(player: Player) -> None:
    demo = json.loads(DEMO.read_text(encoding="utf-8"))
    run_id = (await player.play("run_of_key", "/rebalance/simulate", SIMULATION, headers=KEY))[
        "rebalance_run_id"
    ]
    by_run = f"/rebalance/runs/{run_id}"
    await player.play("run", by_run)
    await player.play("run_list", "/rebalance/runs?limit=1")
    await player.play("run_key", "/rebalance/runs/idempotency/demo-key-1")
    await player.play("run_key_history", "/rebalance/idempotency/demo-key-1/history")
    await player.play("run_artifact", f"{by_run}/artifact")
    await player.play("run_request", f"{by_run}/request")
    await player.play("replay", f"{by_run}/replay", method="POST")
    await player.play("workflow", f"{by_run}/workflow")
    await player.play("workflow_action", f"{by_run}/workflow/actions", DECISION)
    await player.play("workflow_history", f"{by_run}/workflow/history")
    await player.play("decision_list", "/rebalance/workflow/decisions")
    await player.play("lineage", f"/rebalance/lineage/{run_id}")
    await player.play("support_bundle", f"{by_run}/support-bundle")
    await player.play("simulate", "/rebalance/simulate", demo, headers={"Idempotency-Key": "demo-key-2"})
    del player.kept["run_of_key"]


async def play_operations(player: Player) -> None:
    await player.play("analyze", "/rebalance/analyze", SCENARIOS)
    accepted = await player.play(
        "analyze_async", "/rebalance/analyze/async", SCENARIOS, headers={"X-Correlation-Id": "corr_demo_2"}
    )
    await player.play("operation", accepted["status_url"])
    await player.play("operation_list", "/rebalance/operations")
    await player.play("summary", "/rebalance/supportability/summary")
    await player.play("parity", "/rebalance/supportability/parity")
    await player.play("parity", "/rebalance/supportability/parity")


async def play_packs(player: Player) -> None:
    by_pack = f"/rebalance/policies/catalog/{PACK_ID}"
    chosen = {"X-Policy-Pack-Id": PACK_ID}
    await player.play("publish_pack", by_pack, PACK, method="PUT")
    await player.play("pack", by_pack)
    await player.play("pack_catalog", "/rebalance/policies/catalog", headers=chosen)
    await player.play("effective_pack", "/rebalance/policies/effective", headers=chosen)


async def play_proposals(player: Player) -> None:
    root = "/rebalance/proposals"
    await player.play("proposal_config", f"{root}/supportability/config")
    await player.play("proposal_simulate", f"{root}/simulate", PROPOSAL, headers=KEY)
    await player.play("proposal_artifact", f"{root}/artifact", PROPOSAL, headers=KEY)
    created = await player.play("create_proposal", root, CREATION, headers=KEY)
    by_proposal = f"{root}/{created['proposal']['proposal_id']}"
    await player.play("proposal_key", f"{root}/idempotency/demo-key-1")
    await player.play("create_version", f"{by_proposal}/versions", VERSION)
    await player.play("version", f"{by_proposal}/versions/1?include_evidence=false")
    await player.play("transition", f"{by_proposal}/transitions", SUBMISSION)
    await player.play("approval", f"{by_proposal}/approvals", APPROVAL)
    await player.play("timeline", f"{by_proposal}/workflow-events")
    await player.play("approvals", f"{by_proposal}/approvals")
    await player.play("proposal_lineage", f"{by_proposal}/lineage")
    await player.play("proposal", by_proposal)
    await player.play("proposal_list", f"{root}?limit=1")
    accepted = await player.play(
        "create_version_async", f"{by_proposal}/versions/async", {**VERSION, "expected_revision": None}
    )
    await player.await_end(accepted["status_url"])
    accepted = await player.play(
        "create_proposal_async",
        f"{root}/async",
        CREATION,
        headers={"Idempotency-Key": "demo-key-3", "X-Correlation-Id": "corr_demo_3"},
    )
    await player.await_end(accepted["status_url"])
    await player.play("proposal_operation", accepted["status_url"])


async def play_cancellations(
    player: Player, store: MemoryStore, clock: SteppedClock, ids: OrderedIds
) -> None:
    """Of operations that are put into the store, as what is accepted over HTTP here is done at once."""
    body = msgspec.Raw(msgspec.json.encode(CREATION))
    task = ProposalTask(
        created_by="advisor_1",
        idempotency_key="demo-key-4",
        proposal_id=None,
        correlation_sent="corr_demo_4",
        body=body,
    )
    waiting = Operation(
        operation_id=ids("dop"),
        tenant_id=DEFAULT_TENANT,
        operation_type=OperationType.ANALYZE_SCENARIOS,
        status=OperationStatus.PENDING,
        correlation_id="corr_demo_4",
        created_at=clock.now(),
        scenarios_total=len(SCENARIOS["scenarios"]),
        request=b"{}",
    )
    proposed = replace(
        waiting,
        operation_id=ids("pop"),
        operation_type=OperationType.CREATE_PROPOSAL,
        scenarios_total=0,
        request=task.written(),
    )
    for name, root, operation in (
        ("cancelled_operation", "/rebalance/operations", waiting),
        ("cancelled_proposal_operation", "/rebalance/proposals/operations", proposed),
    ):
        await store.operations.submit(operation)
        await player.play(name, f"{root}/{operation.operation_id}/cancel", method="POST")


def rewrite(path: Path, value: Any) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")


def main() -> None:
    rewrite(EXAMPLES, asyncio.run(record()))
    # Only now can the description be made, for the examples are part of it.
    from service.web.openapi.document import document

    rewrite(DOCUMENT, document())
    print(f"wrote {EXAMPLES.relative_to(ROOT)} and {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
