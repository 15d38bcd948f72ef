"""Small books as text: what goes in above the line of dashes, what must come out below it.

Above:  base SGD / cash SGD 100 [settled] / hold A 10 [= value currency] / lot A L1 10 @ 8 SGD 2020-01-31
        price A 10 SGD / rate USD/SGD 1.35 / shelf A APPROVED [class=X] [min=500] [days=3] [tag=value ...]
        target A 0.5 / option name JSON-value
Below:  lines as `outcome` writes them. Every kind of line that is mentioned must match completely and in
        order; kinds that are not mentioned are not compared. A kind alone says that there are none of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from scripts.harness.sample_requests import read_request, written
from service.domains.rebalances.results.intents import FxSpotIntent
from service.domains.rebalances.results.rebalance import RebalanceResult
from service.engines.dpm.v1 import RunIdentity, simulate

IDENTITY = RunIdentity("rr_1", "corr_1", "sha256:0")


def check(text: str) -> None:
    """Run the book and compare what it says of every kind of line the expectation mentions."""
    given, _, wanted = text.partition("----")
    expected = [" ".join(line.split()) for line in wanted.strip("-").splitlines() if line.strip()]
    kinds = {line.split()[0] for line in expected}
    result = simulate(read_request(written(read(given))), IDENTITY)
    got = list(outcome(result))
    for kind in sorted(kinds):
        wanted_of_kind = [line for line in expected if line.split()[0] == kind and line != kind]
        assert [line for line in got if line.split()[0] == kind] == wanted_of_kind


def read(text: str) -> dict[str, Any]:
    """The request a text stands for."""
    positions: dict[str, dict[str, Any]] = {}
    cash, prices, rates, shelf, targets = [], [], [], [], []
    options: dict[str, Any] = {}
    base = "SGD"
    for line in filter(str.strip, text.splitlines()):
        kind, *words = line.split()
        if kind == "base":
            base = words[0]
        elif kind == "cash":
            row = dict(zip(("currency", "amount", "settled"), words, strict=False))
            cash.append(row)
        elif kind == "hold":
            positions[words[0]] = {"instrument_id": words[0], "quantity": words[1], "lots": []}
            if len(words) > 2:
                positions[words[0]]["market_value"] = {"amount": words[3], "currency": words[4]}
        elif kind == "lot":
            lot = {"lot_id": words[1], "quantity": words[2], "purchase_date": words[6]}
            lot_cost = {"amount": words[4], "currency": words[5]}
            positions[words[0]]["lots"].append({**lot, "unit_cost": lot_cost})
        elif kind == "price":
            prices.append({"instrument_id": words[0], "price": words[1], "currency": words[2]})
        elif kind == "rate":
            rates.append({"pair": words[0], "rate": words[1]})
        elif kind == "shelf":
            shelf.append(shelf_row(words[0], words[1], words[2:], base))
        elif kind == "target":
            targets.append({"instrument_id": words[0], "weight": words[1]})
        elif kind == "option":
            options[words[0]] = json.loads(" ".join(words[1:]))
        else:
            raise AssertionError(f"what is {kind!r}?")
    return {
        "portfolio_snapshot": {
            "portfolio_id": "pf_1",
            "base_currency": base,
            "positions": list(positions.values()),
            "cash_balances": cash,
        },
        "market_data_snapshot": {"prices": prices, "fx_rates": rates},
        "model_portfolio": {"targets": targets},
        "shelf_entries": shelf,
        "options": options,
    }


def shelf_row(instrument_id: str, status: str, words: list[str], base: str) -> dict[str, Any]:
    tags = dict(word.split("=") for word in words)
    row: dict[str, Any] = {"instrument_id": instrument_id, "status": status}
    if "class" in tags:
        row["asset_class"] = tags.pop("class")
    if "days" in tags:
        row["settlement_days"] = int(tags.pop("days"))
    if "min" in tags:
        row["min_notional"] = {"amount": tags.pop("min"), "currency": base}
    return {**row, "attributes": tags}


def plain(number: Decimal) -> str:
    text = f"{number:f}"
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if short in ("", "-", "-0") else short


def outcome(result: RebalanceResult) -> Iterator[str]:
    """Everything a case may ask for, one fact a line."""
    yield f"status {result.status}"
    if result.gate_decision is not None:
        yield f"gate {result.gate_decision.gate}"
        for reason in result.gate_decision.reasons:
            yield f"reason {reason.severity} {reason.reason_code}"
    for excluded in result.universe.excluded:
        yield f"excluded {excluded.instrument_id} {excluded.reason_code}"
    for target in result.target.targets:
        yield " ".join(["target", target.instrument_id, plain(target.final_weight), *target.tags])
    yield from trades(result)
    yield f"before {plain(result.before.total_value.amount)}"
    for metric in result.before.allocation_by_asset_class:
        yield f"class {metric.key} {metric.weight} {plain(metric.value.amount)}"
    for name, metrics in result.before.allocation_by_attribute.items():
        for metric in metrics:
            yield f"attribute {name}:{metric.key} {metric.weight}"
    for position in result.after_simulated.positions:
        yield f"held {position.instrument_id} {plain(position.quantity)} {position.weight}"
    for cash in result.after_simulated.cash_balances:
        yield f"cash {cash.currency} {plain(cash.amount)}"
    for rule in result.rule_results:
        if rule.status == "FAIL":
            yield f"fail {rule.rule_id} {plain(rule.measured)} {rule.reason_code}"
    if result.reconciliation is not None:
        delta, tolerance = result.reconciliation.delta.amount, result.reconciliation.tolerance.amount
        yield f"reconciled {result.reconciliation.status} {plain(delta)} within {plain(tolerance)}"
    if result.tax_impact is not None:
        gain, loss = result.tax_impact.total_realized_gain, result.tax_impact.total_realized_loss
        yield f"tax gain {plain(gain.amount)} loss {plain(loss.amount)}"
    yield from diagnostics(result)


def trades(result: RebalanceResult) -> Iterator[str]:
    for intent in result.intents:
        after = "".join(f" after {dependency}" for dependency in intent.dependencies)
        if isinstance(intent, FxSpotIntent):
            bought, sold = plain(intent.buy_amount), plain(intent.sell_amount_estimated)
            line = f"fx {intent.buy_currency} {bought} for {intent.sell_currency} {sold}"
            yield f"trade {intent.intent_id} {line}"
        else:
            amount, currency = plain(intent.notional.amount), intent.notional.currency
            line = f"{intent.side} {plain(intent.quantity)} {intent.instrument_id} for {currency} {amount}"
            labels = "".join(f" {label}" for label in intent.constraints_applied)
            yield f"trade {intent.intent_id} {line}{labels}{after}"


def diagnostics(result: RebalanceResult) -> Iterator[str]:
    noticed = result.diagnostics
    for warning in noticed.warnings:
        yield f"warning {warning}"
    for suppressed in noticed.suppressed_intents:
        yield f"suppressed {suppressed.instrument_id} {plain(suppressed.intended_notional.amount)}"
    for dropped in noticed.dropped_intents:
        yield f"dropped {dropped.instrument_id} {plain(dropped.score)}"
    for event in noticed.group_constraint_events:
        shares = "".join(f" {key} +{plain(share)}" for key, share in event.recipients.items())
        yield f"group {event.constraint_key} {event.status} {plain(event.released_weight)}{shares}"
    for cut in noticed.tax_budget_constraint_events:
        yield f"cut {cut.instrument_id} {plain(cut.requested_quantity)} to {plain(cut.allowed_quantity)}"
    for point in noticed.cash_ladder:
        yield f"ladder {point.currency} T+{point.date_offset} {plain(point.projected_balance)}"
    quality = noticed.data_quality
    for kind, entries in (
        ("price", quality.price_missing),
        ("rate", quality.fx_missing),
        ("shelf", quality.shelf_missing),
    ):
        for entry in entries:
            yield f"missing {kind} {entry}"
