"""Whatever proposals the boundary accepts."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import strategies as st

from service.domains.proposals.requests import (
    AssetClassTarget,
    InstrumentTarget,
    ProposalSimulateRequest,
    ProposedCashFlow,
    ProposedTrade,
    ReferenceModel,
    TradeNotional,
)
from service.domains.rebalances.options import EngineOptions, SuitabilityThresholds, ValuationMode
from service.domains.rebalances.snapshots import (
    CashBalance,
    FxRate,
    MarketDataSnapshot,
    PortfolioSnapshot,
    Price,
    ShelfEntry,
)
from tests.unit.engines.requests import (
    ANY_CURRENCY,
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
    units,
)

CURRENCIES = st.one_of(ANY_CURRENCY, st.sampled_from(["JPY", "KWD", ""]))


SIZE = st.one_of(units(1, 10**5, 1), ANY_NUMBER.map(Decimal.copy_abs).filter(bool))


def any_trade(currencies: st.SearchStrategy[str]) -> st.SearchStrategy[ProposedTrade]:
    way = {"side": st.sampled_from(["BUY", "SELL"]), "instrument_id": st.one_of(IDS, st.just("unknown"))}
    return st.one_of(
        st.builds(ProposedTrade, quantity=SIZE, **way),
        st.builds(ProposedTrade, notional=st.builds(TradeNotional, SIZE, currencies), **way),
    )


ANY_THRESHOLDS = st.builds(
    SuitabilityThresholds,
    single_position_max_weight=SHARE,
    issuer_max_weight=SHARE,
    max_weight_by_liquidity_tier=st.dictionaries(st.sampled_from(["L1", "L4", "L5"]), SHARE, max_size=2),
    cash_band_min_weight=units(0, 500, 3),
    cash_band_max_weight=units(500, 1000, 3),
    data_quality_issue_severity=st.sampled_from(["LOW", "MEDIUM", "HIGH"]),
)

ANY_OPTIONS = st.builds(
    EngineOptions,
    enable_proposal_simulation=st.just(True),
    valuation_mode=st.sampled_from(ValuationMode),
    cash_band_min_weight=st.one_of(st.just(Decimal(0)), ANY_NUMBER),
    cash_band_max_weight=st.one_of(st.just(Decimal(1)), ANY_NUMBER),
    single_position_max_weight=st.one_of(st.none(), SHARE, ANY_NUMBER),
    allow_restricted=st.booleans(),
    block_on_missing_prices=st.booleans(),
    block_on_missing_fx=st.booleans(),
    enable_workflow_gates=st.booleans(),
    client_consent_already_obtained=st.booleans(),
    proposal_block_negative_cash=st.booleans(),
    link_buy_to_same_currency_sell_dependency=st.none() | st.booleans(),
    auto_funding=st.sampled_from([True, True, True, False]),
    fx_funding_source_currency=st.sampled_from(["BASE_ONLY", "ANY_CASH"]),
    enable_drift_analytics=st.booleans(),
    enable_instrument_drift=st.booleans(),
    drift_top_contributors_limit=st.integers(1, 20),
    drift_unmodeled_exposure_threshold=SHARE,
    enable_suitability_scanner=st.booleans(),
    suitability_thresholds=ANY_THRESHOLDS,
)

ANY_MODEL = st.builds(
    ReferenceModel,
    model_id=st.just("mdl"),
    as_of=st.just(""),
    base_currency=ANY_CURRENCY,
    asset_class_targets=lists_of(
        st.builds(AssetClassTarget, asset_class=st.sampled_from(["EQUITY", "CASH", "X"]), weight=ANY_NUMBER)
    ),
    instrument_targets=lists_of(st.builds(InstrumentTarget, instrument_id=IDS, weight=ANY_NUMBER)),
)


def any_request(
    numbers: st.SearchStrategy[Decimal], currencies: st.SearchStrategy[str]
) -> st.SearchStrategy[ProposalSimulateRequest]:
    """Repeated rows, gaps, shorts: everything that passes validation; cash and flows are of these numbers."""
    return st.builds(
        ProposalSimulateRequest,
        portfolio_snapshot=st.builds(
            PortfolioSnapshot,
            snapshot_id=st.sampled_from([None, "ps"]),
            portfolio_id=st.just("pf"),
            base_currency=currencies,
            positions=lists_of(any_position()),
            cash_balances=lists_of(st.builds(CashBalance, currency=currencies, amount=numbers), 4),
        ),
        market_data_snapshot=st.builds(
            MarketDataSnapshot,
            snapshot_id=st.sampled_from([None, "md_1"]),
            prices=a_row_each(Price, "instrument_id", NAMES, price=ANY_PRICE, currency=currencies),
            fx_rates=a_row_each(FxRate, "pair", PAIRS, rate=ANY_PRICE),
        ),
        shelf_entries=a_row_each(
            ShelfEntry,
            "instrument_id",
            NAMES,
            status=st.sampled_from(STATUSES),
            asset_class=st.sampled_from(["EQUITY", "CASH"]),
            issuer_id=st.sampled_from([None, "", "I", "J"]),
            liquidity_tier=st.sampled_from([None, "L1", "L4", "L5"]),
            attributes=TAGS,
        ),
        options=ANY_OPTIONS,
        proposed_cash_flows=lists_of(st.builds(ProposedCashFlow, currency=currencies, amount=numbers), 4),
        proposed_trades=lists_of(any_trade(currencies)),
        reference_model=st.none() | ANY_MODEL,
    )


ANY_REQUEST = any_request(ANY_NUMBER, CURRENCIES)
