"""What holds for every book, not only for the ones someone thought of."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from itertools import accumulate
from random import Random
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.harness.sample_requests import a_request
from service.domains.rebalances.options import EngineOptions, GroupConstraint, TargetMethod, ValuationMode
from service.domains.rebalances.requests import RebalanceRequest
from service.domains.rebalances.results.intents import FxSpotIntent
from service.domains.rebalances.results.rebalance import RebalanceResult
from service.domains.rebalances.snapshots import (
    CashBalance,
    FxRate,
    MarketDataSnapshot,
    ModelPortfolio,
    ModelTarget,
    PortfolioSnapshot,
    Price,
    ShelfEntry,
)
from service.domains.values.money import ONE, ZERO
from service.engines.dpm.request_index import build_index
from service.engines.dpm.stages.sizing import size_trades
from service.engines.dpm.stages.turnover import cap_turnover
from service.engines.dpm.v1 import RunIdentity, simulate
from tests.unit.engines.requests import (
    ANY_CURRENCY,
    ANY_MONEY,
    ANY_NUMBER,
    ANY_PRICE,
    IDS,
    NAMES,
    PAIRS,
    SHARE,
    STATUSES,
    TAGS,
    a_row_each,
    any_position,
    lists_of,
)

IDENTITY = RunIdentity("rr_1", "corr_1", "sha256:0")
# Drawing a book is slow compared with running it.
books_are_large = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


ANY_OPTIONS = st.builds(
    EngineOptions,
    valuation_mode=st.sampled_from(ValuationMode),
    target_method=st.sampled_from(TargetMethod),
    compare_target_methods=st.booleans(),
    compare_target_methods_tolerance=ANY_NUMBER,
    cash_band_min_weight=st.one_of(st.just(ZERO), SHARE, ANY_NUMBER),
    cash_band_max_weight=st.one_of(st.just(ONE), SHARE, ANY_NUMBER),
    single_position_max_weight=st.one_of(st.none(), SHARE, ANY_NUMBER),
    min_trade_notional=st.none() | ANY_MONEY,
    allow_restricted=st.booleans(),
    suppress_dust_trades=st.booleans(),
    fx_buffer_pct=st.one_of(SHARE, ANY_NUMBER),
    block_on_missing_prices=st.booleans(),
    block_on_missing_fx=st.booleans(),
    min_cash_buffer_pct=st.one_of(SHARE, ANY_NUMBER),
    max_turnover_pct=st.none() | SHARE,
    enable_tax_awareness=st.booleans(),
    max_realized_capital_gains=st.none() | ANY_NUMBER.map(abs),
    enable_settlement_awareness=st.booleans(),
    settlement_horizon_days=st.integers(0, 10),
    fx_settlement_days=st.integers(0, 10),
    max_overdraft_by_ccy=st.dictionaries(ANY_CURRENCY, ANY_NUMBER.map(abs), max_size=2),
    group_constraints=st.dictionaries(
        st.sampled_from(["sector:X", "sector:Y", "region:X", "zone:Z"]),
        SHARE.map(lambda share: GroupConstraint(max_weight=share)),
        max_size=3,
    ),
    link_buy_to_same_currency_sell_dependency=st.none() | st.booleans(),
    enable_workflow_gates=st.booleans(),
)


# Repeated rows, gaps, shorts, absurd magnitudes: everything that passes validation.
ANY_REQUEST = st.builds(
    RebalanceRequest,
    portfolio_snapshot=st.builds(
        PortfolioSnapshot,
        portfolio_id=st.just("pf"),
        base_currency=ANY_CURRENCY,
        positions=lists_of(any_position()),
        cash_balances=lists_of(
            st.builds(CashBalance, currency=ANY_CURRENCY, amount=ANY_NUMBER, settled=st.none() | ANY_NUMBER),
            4,
        ),
    ),
    market_data_snapshot=st.builds(
        MarketDataSnapshot,
        prices=a_row_each(Price, "instrument_id", NAMES, price=ANY_PRICE, currency=ANY_CURRENCY),
        fx_rates=a_row_each(FxRate, "pair", PAIRS, rate=ANY_PRICE),
    ),
    model_portfolio=st.builds(
        ModelPortfolio,
        targets=lists_of(st.builds(ModelTarget, instrument_id=IDS, weight=st.one_of(SHARE, ANY_NUMBER))),
    ),
    shelf_entries=a_row_each(
        ShelfEntry,
        "instrument_id",
        NAMES,
        status=st.sampled_from(STATUSES),
        asset_class=st.sampled_from(["EQUITY", "CASH"]),
        settlement_days=st.integers(0, 10),
        min_notional=st.none() | ANY_MONEY,
        attributes=TAGS,
    ),
    options=ANY_OPTIONS,
)

# Books with all data present: unique rows, positive prices and rates, no negative cash, no trusted values.
SOUND_REQUEST = st.builds(
    lambda positions, seed, tax, method, turnover: a_request(
        positions,
        seed,
        enable_tax_awareness=tax,
        target_method=method,
        max_turnover_pct=turnover,
    ),
    st.integers(1, 12),
    st.integers(0, 10**6),
    st.booleans(),
    st.sampled_from(["HEURISTIC", "SOLVER"]),
    st.none() | SHARE.map(str),
)


def encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


def sold_units(result: RebalanceResult) -> dict[str, Decimal]:
    return {
        trade.instrument_id: trade.quantity
        for trade in result.intents
        if not isinstance(trade, FxSpotIntent) and trade.side == "SELL"
    }


@books_are_large
@given(ANY_REQUEST)
def test_any_valid_request_gives_a_result_and_is_left_as_it_was(request: RebalanceRequest) -> None:
    given_as = encoded(request)

    result = simulate(request, IDENTITY)

    assert encoded(request) == given_as
    assert result.status in ("READY", "PENDING_REVIEW", "BLOCKED")
    if result.gate_decision is not None and result.status == "BLOCKED":
        assert result.gate_decision.gate == "BLOCKED"


@books_are_large
@given(ANY_REQUEST)
def test_the_same_request_gives_the_same_bytes_whatever_the_surroundings(request: RebalanceRequest) -> None:
    first = encoded(simulate(request, IDENTITY))

    with localcontext(Context(prec=3)):
        second = encoded(simulate(request, IDENTITY))

    assert first == second


@given(SOUND_REQUEST)
def test_trading_conserves_value(request: RebalanceRequest) -> None:
    result = simulate(request, IDENTITY)

    before, after = result.before.total_value.amount, result.after_simulated.total_value.amount
    assert abs(after - before) <= before * Decimal("1E-9")


@given(SOUND_REQUEST)
def test_nothing_is_sold_that_is_not_held(request: RebalanceRequest) -> None:
    result = simulate(request, IDENTITY)

    held = {row.instrument_id: row.quantity for row in request.portfolio_snapshot.positions}
    assert all(quantity <= held[key] for key, quantity in sold_units(result).items())
    assert all(row.quantity >= 0 for row in result.after_simulated.positions)


@given(SOUND_REQUEST)
def test_frozen_lines_are_not_traded_unless_a_cap_touches_them(request: RebalanceRequest) -> None:
    options = msgspec.structs.replace(request.options, group_constraints={})
    shelf = {row.instrument_id: row.status for row in request.shelf_entries}

    result = simulate(msgspec.structs.replace(request, options=options), IDENTITY)

    traded = {trade.instrument_id for trade in result.intents if not isinstance(trade, FxSpotIntent)}
    frozen = {key for key, status in shelf.items() if status in ("BANNED", "SUSPENDED", "RESTRICTED")}
    assert not traded & frozen


@given(SOUND_REQUEST, st.randoms(use_true_random=False))
def test_the_order_of_independent_rows_says_nothing(request: RebalanceRequest, random: Random) -> None:
    market = request.market_data_snapshot
    shuffled = msgspec.structs.replace(
        request,
        market_data_snapshot=msgspec.structs.replace(
            market, prices=mixed(market.prices, random), fx_rates=mixed(market.fx_rates, random)
        ),
        shelf_entries=mixed(request.shelf_entries, random),
    )

    assert encoded(simulate(shuffled, IDENTITY)) == encoded(simulate(request, IDENTITY))


def mixed(rows: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    return tuple(random.sample(rows, len(rows)))


@given(SOUND_REQUEST, SHARE)
def test_what_turnover_keeps_fits_and_nothing_is_lost(request: RebalanceRequest, share: Decimal) -> None:
    result = simulate(request, IDENTITY)
    total = result.before.total_value.amount
    trades = size_trades(build_index(request), result.target.targets, total).trades

    turnover = cap_turnover(trades, total, share, "SGD")
    backwards = cap_turnover(trades[::-1], total, share, "SGD")

    spent = list(accumulate(trade.notional_base.amount for trade in turnover.kept))
    assert not spent or spent[-1] <= total * share
    names = [trade.instrument_id for trade in turnover.kept] + [row.instrument_id for row in turnover.dropped]
    assert sorted(names) == sorted(trade.instrument_id for trade in trades)
    assert {trade.intent_id for trade in turnover.kept} == {trade.intent_id for trade in backwards.kept}
