"""Rules of a bank or a tenant, laid over what a request asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from scripts.demo_pack.desk import CASES, Desk, NotShown, case, d, good, refused, require, rule, trades
from scripts.demo_pack.scenarios import Chapter

CHAPTER = Chapter("Policy packs")
CATALOG = "/rebalance/policies/catalog"
# What a server that the pack starts itself is told.
TENANT, TENANT_PACK = "demo_tenant", "demo_prudent"
PRUDENT = json.loads((CASES / "prudent_pack.json").read_text(encoding="utf-8"))


def of_packs(desk: Desk) -> None:
    """Raises NotShown where there are no packs."""
    if not desk.get("/rebalance/policies/effective")["enabled"]:
        raise NotShown("DPM_POLICY_PACKS_ENABLED is off")


@contextmanager
def published(desk: Desk, name: str) -> Iterator[str]:
    """A pack of this play's own, taken out of the catalog afterwards."""
    of_packs(desk)
    pack_id = f"demo_{name}_{desk.stamp}"
    good(desk.ask("PUT", f"{CATALOG}/{pack_id}", PRUDENT))
    try:
        yield pack_id
    finally:
        good(desk.ask("DELETE", f"{CATALOG}/{pack_id}"))


@CHAPTER.scenario("A pack is published and withdrawn")
def lifecycle(desk: Desk) -> str:
    with published(desk, "life") as pack_id:
        pack = desk.get(f"{CATALOG}/{pack_id}")
        require(d(pack["turnover_policy"]["max_turnover_pct"]) == Decimal("0.10"), f"{pack}")
        listed = {one["policy_pack_id"] for one in desk.get(CATALOG)["items"]}
        require(pack_id in listed, "the catalog does not list it")
    refused(desk.ask("GET", f"{CATALOG}/{pack_id}"), 404, "DPM_POLICY_PACK_NOT_FOUND")
    return "put, read, listed and deleted; then 404"


@CHAPTER.scenario("A pack overrides the request")
def overrides(desk: Desk) -> str:
    with published(desk, "override") as pack_id:
        asked = case("income_mandate", max_turnover_pct="0.90", single_position_max_weight="0.60")
        answer = good(
            desk.ask("POST", "/rebalance/simulate", asked, key=desk.key("pack"), X_Policy_Pack_Id=pack_id)
        )
    run = answer.json
    spent = sum((d(one["notional_base"]) for one in trades(run)), Decimal(0)) / d(
        run["before"]["total_value"]
    )
    cap = d(rule(run, "SINGLE_POSITION_MAX")["threshold"]["max"])
    require(spent <= Decimal("0.10"), f"turnover is {spent:.2%}")
    require(cap == Decimal("0.42"), f"the cap is {cap}")
    require(run["gate_decision"]["gate"] == "CLIENT_CONSENT_REQUIRED", run["gate_decision"]["gate"])
    return f"asked for 90 % turnover and a 60 % cap, got {spent:.1%} and {cap:.0%}, and consent is needed"


@CHAPTER.scenario("The run remembers its pack")
def remembered(desk: Desk) -> str:
    with published(desk, "kept") as pack_id:
        run = desk.simulate(case("income_mandate"), "kept-pack", X_Policy_Pack_Id=pack_id)
    run_id = run["rebalance_run_id"]
    told = desk.post(f"/rebalance/runs/{run_id}/replay")
    shown = json.dumps(desk.get(f"/rebalance/runs/{run_id}/artifact"))
    require(told["outcome"] == "MATCH", f"{told['first_difference']}")
    require(pack_id in shown, "the artifact does not name it")
    return "computed again after the pack is gone: MATCH; the artifact names it"


@CHAPTER.scenario("Another pack is another request")
def another(desk: Desk) -> str:
    with published(desk, "first") as first:
        desk.simulate(case("income_mandate"), "two-packs", X_Policy_Pack_Id=first)
        key = desk.key("two-packs")
        answer = desk.ask("POST", "/rebalance/simulate", case("income_mandate"), key=key)
    refused(answer, 409, "IDEMPOTENCY_KEY_CONFLICT")
    return "the same key and body without the pack is 409"


@CHAPTER.scenario("A tenant has rules of its own")
def tenant(desk: Desk) -> str:
    of_packs(desk)
    resolved = good(desk.ask("GET", "/rebalance/policies/effective", X_Tenant_Id=TENANT)).json
    if resolved["source"] != "TENANT_DEFAULT":
        raise NotShown(f"no pack is mapped to {TENANT}")
    run = desk.simulate(case("income_mandate"), "tenant", X_Tenant_Id=TENANT)
    other = desk.simulate(case("income_mandate"), "no-tenant")
    require(resolved["selected_policy_pack_id"] == TENANT_PACK, resolved["selected_policy_pack_id"])
    require(run["diagnostics"]["dropped_intents"], "the tenant's turnover is not bounded")
    require(not other["diagnostics"]["dropped_intents"], "everybody's turnover is bounded")
    return f"{TENANT} gets {TENANT_PACK}, others do not"


@CHAPTER.scenario("An unknown pack is told")
def unknown(desk: Desk) -> str:
    of_packs(desk)
    answer = desk.ask(
        "POST",
        "/rebalance/simulate",
        case("income_mandate"),
        key=desk.key("unknown-pack"),
        X_Policy_Pack_Id=f"demo_nobody_{desk.stamp}",
    )
    if answer.status == 422:
        raise NotShown("DPM_POLICY_PACK_STRICT is on")
    status = good(answer).headers.get("X-Policy-Pack-Status")
    require(status == "UNKNOWN", f"X-Policy-Pack-Status is {status}")
    require(not answer.json["diagnostics"]["dropped_intents"], "something was overridden")
    return "nothing is overridden, and X-Policy-Pack-Status says UNKNOWN"
