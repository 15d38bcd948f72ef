"""One rebalance from request to stored run, on a server of its own over SQLite, as an adviser reads it."""

from __future__ import annotations

import json
import urllib.request
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

from scripts.harness.servers import ROOT, Server
from service.engines.review.rules import SINGLE_POSITION_TOLERANCE

REQUEST = ROOT / "scripts" / "demo" / "multi_currency.json"
BAR_WIDTH = 30


def main() -> None:
    database = ROOT / ".data" / "lotus-manage.db"
    variables = {"DPM_SUPPORTABILITY_STORE_BACKEND": "SQL", "DPM_SUPPORTABILITY_SQL_PATH": str(database)}
    with Server(variables) as server:
        result = post(f"{server.base}/rebalance/simulate", REQUEST.read_bytes())
        stored = get(f"{server.base}/rebalance/runs/{result['rebalance_run_id']}")
        assert stored["result"] == result, "the stored run must be the answered one"
        show(result, stored, database)


def post(url: str, body: bytes) -> Any:
    headers = {"Content-Type": "application/json", "Idempotency-Key": f"demo-{uuid.uuid4().hex}"}
    return answer(urllib.request.Request(url, data=body, headers=headers, method="POST"))


def get(url: str) -> Any:
    return answer(urllib.request.Request(url))


def answer(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=10) as found:
        return json.loads(found.read())


def show(result: Any, stored: Any, database: Path) -> None:
    gate = result["gate_decision"]
    base = result["before"]["total_value"]["currency"]
    print(f"\nRebalance {result['rebalance_run_id']}")
    print(f"Status    {result['status']}   gate {gate['gate']}, next step {gate['recommended_next_step']}")
    print(f"Value     {money(result['before']['total_value'])} before, ", end="")
    print(f"{money(result['after_simulated']['total_value'])} after")
    show_trades(result["intents"], base)
    show_allocation(result)
    show_cash(result)
    show_rules(result)
    print("\nThe run is kept, with its request, in", database.relative_to(ROOT))
    print("Look it up:  make run    and then")
    print(f"  curl http://127.0.0.1:8000/rebalance/runs/{result['rebalance_run_id']}")
    print(f"  curl http://127.0.0.1:8000/rebalance/runs/by-correlation/{result['correlation_id']}")
    print(f"  curl http://127.0.0.1:8000/rebalance/runs/idempotency/{stored['idempotency_key']}")


def show_trades(intents: Any, base: str) -> None:
    print(f"\n{'Trade':<11}{'What':<28}{'Quantity':>12}  {'Amount':>20}  {'in ' + base:>14}  Reason")
    for intent in intents:
        if intent["intent_type"] == "SECURITY_TRADE":
            what, quantity = intent["instrument_id"], f"{Decimal(intent['quantity']):,f}"
            amount, in_base = money(intent["notional"]), f"{Decimal(intent['notional_base']['amount']):,.2f}"
            side = intent["side"]
        else:
            what, quantity, in_base, side = f"{intent['pair']}", "", "", "FX"
            amount = f"{Decimal(intent['buy_amount']):,.2f} {intent['buy_currency']}"
        reasons = [intent["rationale"]["code"], *intent.get("constraints_applied", [])]
        after = f" after {', '.join(intent['dependencies'])}" if intent["dependencies"] else ""
        row = f"{side + ' ' + intent['intent_id']:<11}{what:<28}{quantity:>12}  {amount:>20}  {in_base:>14}"
        print(f"{row}  {' + '.join(reasons)}{after}")


def show_allocation(result: Any) -> None:
    before = {row["key"]: Decimal(row["weight"]) for row in result["before"]["allocation_by_asset_class"]}
    after = {
        row["key"]: Decimal(row["weight"]) for row in result["after_simulated"]["allocation_by_asset_class"]
    }
    print("\nAllocation by asset class, before and after")
    for name in dict.fromkeys([*before, *after]):
        print(f"  {name:<14}{bar(before.get(name, Decimal(0)), '░')}")
        print(f"  {'':<14}{bar(after.get(name, Decimal(0)), '█')}")


def bar(weight: Decimal, mark: str) -> str:
    filled = max(0, round(float(weight) * BAR_WIDTH * 2))
    return f"{weight * 100:6.2f} % {mark * filled}"


def show_cash(result: Any) -> None:
    print("\nCash")
    before = {row["currency"]: row["amount"] for row in result["before"]["cash_balances"]}
    for row in result["after_simulated"]["cash_balances"]:
        was = Decimal(before.get(row["currency"], "0"))
        print(f"  {row['currency']}  {was:>16,.2f}  ->  {Decimal(row['amount']):>16,.2f}")


def show_rules(result: Any) -> None:
    print("\nRules")
    for rule in result["rule_results"]:
        limits = limits_of(rule)
        measured = f"{Decimal(rule['measured']):.4f}"
        print(f"  {rule['status']:<5}{rule['severity']:<5}{rule['rule_id']:<22}{measured:>12}  ({limits})")
    for warning in result["diagnostics"]["warnings"]:
        print(f"  noticed: {warning}")


def limits_of(rule: Any) -> str:
    """The limits of a rule, with how far beyond them it still passes."""
    limits = [f"{name} {limit}" for name, limit in rule["threshold"].items()]
    if rule["rule_id"] == "SINGLE_POSITION_MAX" and rule["reason_code"] != "NO_LIMIT_SET":
        limits.append(f"tolerance {SINGLE_POSITION_TOLERANCE}")
    return ", ".join(limits)


def money(value: Any) -> str:
    return f"{Decimal(value['amount']):,.2f} {value['currency']}"


if __name__ == "__main__":
    main()
