"""Small proposals as text: what goes in above the line of dashes, what must come out below it.

Above, beside the lines of cases.py (base, cash, hold, price, rate, shelf, option):
        shelf A APPROVED [issuer=I] [tier=L4] / flow SGD -100 / buy A 10 / buy A = 500 USD / sell A 10
        model SGD / wanted EQUITY 0.6 / wanted-instrument A 0.25 / limit single_position_max_weight "1"
Below:  lines as `outcome` writes them. Every kind of line that is mentioned must match completely and in
        order; kinds that are not mentioned are not compared. A kind alone says that there are none of it.

Suitability is off unless an option or a limit says otherwise, for most books are about something else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from service.domains.proposals.results import CashFlowIntent, DriftDimension, ProposalIntent, ProposalResult
from service.domains.rebalances.results.intents import FxSpotIntent
from service.engines.advisory.v1 import ProposalIdentity, simulate
from service.web.requests import bodies
from tests.unit.engines import cases
from tests.unit.engines.cases import plain

IDENTITY = ProposalIdentity("pr_1", "corr_1", "sha256:0", "key_1")
OURS = ("flow", "buy", "sell", "model", "wanted", "wanted-instrument", "limit")


def check(text: str) -> ProposalResult:
    """Run the book and compare what it says of every kind of line the expectation mentions."""
    given, _, wanted = text.partition("----")
    expected = [" ".join(line.split()) for line in wanted.strip("-").splitlines() if line.strip()]
    kinds = {line.split()[0] for line in expected}
    result = simulate(bodies.decode_proposal(json.dumps(read(given)).encode()), IDENTITY)
    got = list(outcome(result))
    for kind in sorted(kinds):
        wanted_of_kind = [line for line in expected if line.split()[0] == kind and line != kind]
        assert [line for line in got if line.split()[0] == kind] == wanted_of_kind
    return result


def read(text: str) -> dict[str, Any]:
    """The request a text stands for."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    ours = [words for words in lines if words[0] in OURS]
    document = cases.read("\n".join(" ".join(words) for words in lines if words[0] not in OURS))
    del document["model_portfolio"]
    options = {"enable_proposal_simulation": True, "enable_suitability_scanner": False, **document["options"]}
    more: dict[str, list[Any]] = {"flow": [], "trade": [], "wanted": [], "wanted-instrument": []}
    model: dict[str, Any] | None = None
    for kind, *words in ours:
        if kind == "flow":
            more["flow"].append({"currency": words[0], "amount": words[1]})
        elif kind in ("buy", "sell"):
            more["trade"].append(trade(kind.upper(), *words))
        elif kind == "model":
            model = {"model_id": "mdl_1", "as_of": "2026-11-21", "base_currency": words[0]}
        elif kind == "limit":
            options["enable_suitability_scanner"] = True
            limits = options.setdefault("suitability_thresholds", {})
            limits[words[0]] = json.loads(" ".join(words[1:]))
        else:
            name = "asset_class" if kind == "wanted" else "instrument_id"
            more[kind].append({name: words[0], "weight": words[1]})
    if model is not None:
        model |= {"asset_class_targets": more["wanted"], "instrument_targets": more["wanted-instrument"]}
    for row in document["shelf_entries"]:
        row["issuer_id"] = row["attributes"].pop("issuer", None)
        row["liquidity_tier"] = row["attributes"].pop("tier", None)
    return document | {
        "options": options,
        "proposed_cash_flows": more["flow"],
        "proposed_trades": more["trade"],
        "reference_model": model,
    }


def trade(side: str, instrument_id: str, *size: str) -> dict[str, Any]:
    row: dict[str, Any] = {"side": side, "instrument_id": instrument_id}
    if size[0] == "=":
        return row | {"notional": {"amount": size[1], "currency": size[2]}}
    return row | {"quantity": size[0]}


def outcome(result: ProposalResult) -> Iterator[str]:
    """Everything a case may ask for, one fact a line."""
    yield f"status {result.status}"
    if result.gate_decision is not None:
        yield f"gate {result.gate_decision.gate} {result.gate_decision.recommended_next_step}"
        for reason in result.gate_decision.reasons:
            yield f"reason {reason.severity} {reason.reason_code}"
    for intent in result.intents:
        yield " ".join(intent_line(intent))
    yield f"before {plain(result.before.total_value.amount)}"
    for position in result.after_simulated.positions:
        yield f"held {position.instrument_id} {plain(position.quantity)} {position.weight}"
    for cash in result.after_simulated.cash_balances:
        yield f"cash {cash.currency} {plain(cash.amount)}"
    for rule in result.rule_results:
        if rule.status == "FAIL":
            yield f"fail {rule.rule_id} {plain(rule.measured)} {rule.reason_code}"
    delta, tolerance = result.reconciliation.delta.amount, result.reconciliation.tolerance.amount
    yield f"reconciled {result.reconciliation.status} {plain(delta)} within {plain(tolerance)}"
    yield from diagnostics(result)
    yield from drift(result)
    if result.suitability is not None:
        yield f"recommended {result.suitability.recommended_gate}"
        for issue in result.suitability.issues:
            yield f"issue {issue.status_change} {issue.severity} {issue.issue_id} {issue.issue_key}"


def intent_line(intent: ProposalIntent) -> list[str]:
    if isinstance(intent, CashFlowIntent):
        return ["trade", intent.intent_id, intent.currency, plain(intent.amount)]
    if isinstance(intent, FxSpotIntent):
        bought, sold = plain(intent.buy_amount), plain(intent.sell_amount_estimated)
        return [
            "trade",
            intent.intent_id,
            intent.buy_currency,
            bought,
            "for",
            intent.sell_currency,
            sold,
        ]
    after = [word for dependency in intent.dependencies for word in ("after", dependency)]
    amount, currency = plain(intent.notional.amount), intent.notional.currency
    base = "unknown" if intent.notional_base is None else plain(intent.notional_base.amount)
    size = [intent.side, plain(intent.quantity), intent.instrument_id]
    return ["trade", intent.intent_id, *size, "for", currency, amount, "=", base, *after]


def diagnostics(result: ProposalResult) -> Iterator[str]:
    noticed = result.diagnostics
    for warning in noticed.warnings:
        yield f"warning {warning}"
    for entry in noticed.funding_plan:
        figures = f"{entry.required} {entry.available_before_fx} {entry.fx_needed}"
        yield f"plan {entry.target_currency} {figures} {entry.fx_pair or '-'}"
    for pair in noticed.missing_fx_pairs:
        yield f"pair {pair}"
    for lacking in noticed.insufficient_cash:
        yield f"lacking {lacking.currency} {lacking.deficit}"
    quality = noticed.data_quality
    for kind, entries in (
        ("price", quality.price_missing),
        ("rate", quality.fx_missing),
        ("shelf", quality.shelf_missing),
    ):
        for missing in entries:
            yield f"missing {kind} {missing}"


def drift(result: ProposalResult) -> Iterator[str]:
    analysis = result.drift_analysis
    if analysis is None:
        return
    for name, dimension in (("class", analysis.asset_class), ("instrument", analysis.instrument)):
        if dimension is not None:
            yield from drift_lines(name, dimension)
    for row in analysis.highlights.largest_improvements:
        yield f"better {row.bucket} {plain(row.improvement)}"
    for row in analysis.highlights.largest_deteriorations:
        yield f"worse {row.bucket} {plain(row.improvement)}"
    for exposure in analysis.highlights.unmodeled_exposures:
        yield f"unmodeled {exposure.bucket} {plain(exposure.max_portfolio_weight)}"


def drift_lines(name: str, dimension: DriftDimension) -> Iterator[str]:
    totals = dimension.drift_total_before, dimension.drift_total_after, dimension.drift_total_delta
    yield " ".join(["drift", name, *map(plain, totals)])
    for bucket in dimension.buckets:
        figures = bucket.model_weight, bucket.drift_before, bucket.drift_after, bucket.improvement
        yield " ".join(["bucket", bucket.bucket, *map(plain, figures)])
    for bucket in dimension.top_contributors_before:
        yield f"top {bucket.bucket} {plain(bucket.abs_drift_before)}"
