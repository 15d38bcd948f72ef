"""What holds for every proposal, not only for the ones someone thought of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.proposals.results import CashFlowIntent, ProposalResult, ProposedTradeIntent
from service.domains.rebalances.results.intents import FxSpotIntent
from service.domains.values.canonical import canonical_json
from service.domains.values.money import ZERO
from service.engines.advisory.v1 import ProposalIdentity, simulate
from service.flows.proposals.computing import (
    RESULT,
    artifact_of_result,
    recompute_proposal,
    simulate_proposal_body,
    stored_result,
)
from service.web.requests import bodies
from tests.unit.engines.advisory_requests import ANY_REQUEST, any_request
from tests.unit.engines.requests import ANY_CURRENCY, units

IDENTITY = ProposalIdentity("pr_1", "corr_1", "sha256:0", "key_1")
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
KINDS = {"CASH_FLOW": 0, "SELL": 1, "FX": 2, "BUY": 3}

# Drawing a book is slow compared with running it.
books_are_large = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# Cents only, so that sums are exact and cash can be counted.
COUNTABLE = any_request(units(-(10**8), 10**8, 2), ANY_CURRENCY)


def kind_of(intent: CashFlowIntent | ProposedTradeIntent | FxSpotIntent) -> str:
    if isinstance(intent, CashFlowIntent):
        return "CASH_FLOW"
    return "FX" if isinstance(intent, FxSpotIntent) else intent.side


def gaps_of(result: ProposalResult) -> list[tuple[str, ...]]:
    quality = result.diagnostics.data_quality
    return [quality.price_missing, quality.fx_missing, quality.shelf_missing]


def values_in(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, dict):
        for item in value.values():
            yield from values_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from values_in(item)


@books_are_large
@given(ANY_REQUEST)
def test_whatever_the_boundary_accepts_gives_a_result_and_an_artifact(
    request: ProposalSimulateRequest,
) -> None:
    body = canonical_json(request)

    simulated = simulate_proposal_body(bodies.decode_proposal, body, "corr_1", "key_1")
    artifact = artifact_of_result(bodies.decode_proposal, simulated.request_body, simulated.result, AT)

    assert simulated.request_body == body
    assert json.loads(artifact.body)["status"] == simulated.status in ("READY", "PENDING_REVIEW", "BLOCKED")
    assert not any(isinstance(value, float) for value in values_in(json.loads(artifact.body)))


@books_are_large
@given(ANY_REQUEST)
def test_the_same_request_gives_the_same_bytes_whatever_the_surroundings(
    request: ProposalSimulateRequest,
) -> None:
    given_as = canonical_json(request)
    first = RESULT.encode(simulate(request, IDENTITY))

    with localcontext(Context(prec=3)):
        second = RESULT.encode(simulate(request, IDENTITY))

    assert first == second
    assert canonical_json(request) == given_as


@books_are_large
@given(ANY_REQUEST)
def test_a_stored_result_is_read_back_computed_again_and_packed_the_same(
    request: ProposalSimulateRequest,
) -> None:
    simulated = simulate_proposal_body(bodies.decode_proposal, canonical_json(request), "corr_1", "key_1")
    read = bodies.decode_proposal

    assert RESULT.encode(stored_result(simulated.result)) == simulated.result
    assert recompute_proposal(read, simulated.request_body, simulated.result) == simulated.result
    one = artifact_of_result(read, simulated.request_body, simulated.result, AT)
    with localcontext(Context(prec=3)):
        later = artifact_of_result(read, simulated.request_body, simulated.result, AT.replace(year=2030))
    assert one.artifact_hash == later.artifact_hash
    assert one.artifact_id == later.artifact_id
    assert one.body != later.body


@books_are_large
@given(ANY_REQUEST)
def test_intents_stand_in_the_order_they_can_be_executed_in(request: ProposalSimulateRequest) -> None:
    intents = simulate(request, IDENTITY).intents

    ids = [intent.intent_id for intent in intents]
    assert len(set(ids)) == len(ids)
    assert [KINDS[kind_of(intent)] for intent in intents] == sorted(KINDS[kind_of(each)] for each in intents)
    names = [
        (kind_of(intent), intent.instrument_id)
        for intent in intents
        if isinstance(intent, ProposedTradeIntent)
    ]
    assert names == sorted(names, key=lambda name: (KINDS[name[0]], name[1]))
    pairs = [intent.pair for intent in intents if isinstance(intent, FxSpotIntent)]
    assert pairs == sorted(pairs)
    for at, intent in enumerate(intents):
        if isinstance(intent, ProposedTradeIntent):
            assert set(intent.dependencies) <= set(ids[:at])
            assert not intent.dependencies or intent.side == "BUY"


@books_are_large
@given(COUNTABLE)
def test_cash_after_is_cash_before_and_what_the_intents_move(request: ProposalSimulateRequest) -> None:
    result = simulate(request, IDENTITY)

    moved: dict[str, Decimal] = {}
    for cash in request.portfolio_snapshot.cash_balances:
        moved[cash.currency] = moved.get(cash.currency, ZERO) + cash.amount
    for intent in result.intents:
        for currency, amount in moves_of(intent):
            moved[currency] = moved.get(currency, ZERO) + amount
    after: dict[str, Decimal] = {}
    for cash in result.after_simulated.cash_balances:
        after[cash.currency] = after.get(cash.currency, ZERO) + cash.amount
    for currency, amount in after.items():
        expected = moved.get(currency, ZERO)
        # Each step rounds to 28 digits of the largest figure in it.
        slack = Decimal("1E-26") * sum(
            (abs(step) for intent in result.intents for name, step in moves_of(intent) if name == currency),
            abs(expected) + abs(amount) + 10**8,
        )
        assert abs(amount - expected) <= slack
    assert {currency for currency, amount in moved.items() if amount} <= after.keys()


def moves_of(
    intent: CashFlowIntent | ProposedTradeIntent | FxSpotIntent,
) -> list[tuple[str, Decimal]]:
    if isinstance(intent, CashFlowIntent):
        return [(intent.currency, intent.amount)]
    if isinstance(intent, FxSpotIntent):
        return [
            (intent.buy_currency, intent.buy_amount),
            (intent.sell_currency, -intent.sell_amount_estimated),
        ]
    amount = intent.notional.amount
    return [(intent.notional.currency, -amount if intent.side == "BUY" else amount)]


@books_are_large
@given(ANY_REQUEST)
def test_a_blocked_run_says_why_and_keeps_what_was_missing(request: ProposalSimulateRequest) -> None:
    result = simulate(request, IDENTITY)
    options = msgspec.structs.replace(
        request.options, block_on_missing_prices=False, block_on_missing_fx=False
    )
    lenient = simulate(msgspec.structs.replace(request, options=options), IDENTITY)

    failed = {rule.severity for rule in result.rule_results if rule.status == "FAIL"}
    assert (result.status == "BLOCKED") == ("HARD" in failed)
    assert (result.status == "READY") == (not failed)
    # What blocks decides the status and never what is noticed.
    assert gaps_of(result) == gaps_of(lenient)
    if result.gate_decision is not None:
        assert (result.gate_decision.gate == "BLOCKED") == (result.status == "BLOCKED")
        told = {reason.reason_code for reason in result.gate_decision.reasons}
        assert ("DATA_QUALITY_MISSING_PRICE" in told) == bool(gaps_of(result)[0])
        assert ("DATA_QUALITY_MISSING_FX" in told) == bool(gaps_of(result)[1])


@books_are_large
@given(ANY_REQUEST)
def test_nothing_funded_is_overdrawn_by_its_funding(request: ProposalSimulateRequest) -> None:
    result = simulate(request, IDENTITY)

    bought = {
        intent.buy_currency: intent.buy_amount
        for intent in result.intents
        if isinstance(intent, FxSpotIntent)
    }
    plans = {entry.target_currency: entry for entry in result.diagnostics.funding_plan}
    assert list(plans) == sorted(plans)
    for currency, entry in plans.items():
        assert (entry.fx_pair is None) == (currency not in bought)
        if entry.fx_pair is not None:
            assert entry.fx_needed == bought[currency]


@books_are_large
@given(ANY_REQUEST, st.randoms(use_true_random=False))
def test_the_order_of_unlike_trades_moves_no_figure(request: ProposalSimulateRequest, random: Any) -> None:
    trades = {trade.instrument_id: trade for trade in request.proposed_trades}.values()
    one = msgspec.structs.replace(request, proposed_trades=tuple(trades))
    other = msgspec.structs.replace(request, proposed_trades=tuple(random.sample(list(trades), len(trades))))

    first, second = simulate(one, IDENTITY), simulate(other, IDENTITY)

    # Rows that a trade adds stand in the order of instruments, so the states are the same too.
    assert first.after_simulated == second.after_simulated
    assert first.status == second.status
