"""Turns target weights into whole-unit trades (engine specification, 6.6).

Problem: the drift of each line becomes a quantity that its price, its tax lots and the minimum ticket allow.
Example: 1,050 too little of an instrument priced 100 buys 10 units for 1,000; the other 50 stay in cash.
Rounding: |drift| / price is cut down to whole units, exactly, for purchases and sales alike. A quotient of
more than 28 digits is no quantity: the price is reported as unusable, which blocks the run. The price 0 is
that of a line that may not be traded, and gives no units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

from service.domains.rebalances.results.diagnostics import SuppressedIntent, TaxBudgetConstraintEvent
from service.domains.rebalances.results.intents import IntentRationale, SecurityTradeIntent
from service.domains.rebalances.results.rebalance import TaxImpact
from service.domains.rebalances.results.targets import TargetInstrument
from service.domains.rebalances.snapshots import Price
from service.domains.values.money import ZERO, Money
from service.engines.dpm.request_index import RequestIndex
from service.engines.dpm.stages.taxes import TaxUse, limit_sale, tax_impact
from service.engines.portfolio.missing_data import NO_GAPS, MissingData

TAX_BUDGET_REACHED = "TAX_BUDGET_LIMIT_REACHED"
ALIGN = IntentRationale(code="DRIFT_REBALANCE", message="Align")

_LABELS: dict[tuple[bool, bool], tuple[str, ...]] = {
    (False, False): (),
    (True, False): ("MIN_NOTIONAL",),
    (False, True): ("TAX_BUDGET",),
    (True, True): ("MIN_NOTIONAL", "TAX_BUDGET"),
}


class Sizing(msgspec.Struct, frozen=True):
    """Trades in target order, and what was held back."""

    trades: tuple[SecurityTradeIntent, ...] = ()
    suppressed: tuple[SuppressedIntent, ...] = ()
    tax_events: tuple[TaxBudgetConstraintEvent, ...] = ()
    tax_impact: TaxImpact | None = None
    warnings: tuple[str, ...] = ()
    gaps: MissingData = NO_GAPS


class _Drift(msgspec.Struct, frozen=True, gc=False):
    instrument_id: str
    price: Price
    rate: Decimal
    side: Literal["BUY", "SELL"]
    units: Decimal


@dataclass(slots=True)
class _Log:
    """Filled during one call of size_trades, in the order things were noticed."""

    prices_missing: list[str] = field(default_factory=list)
    rates_missing: list[str] = field(default_factory=list)
    unusable_prices: int = 0
    tax_events: list[TaxBudgetConstraintEvent] = field(default_factory=list)

    def gaps(self) -> MissingData:
        if not self.prices_missing and not self.rates_missing:
            return NO_GAPS
        return MissingData(
            tuple(self.prices_missing), tuple(self.rates_missing), unusable_prices=self.unusable_prices
        )


def size_trades(index: RequestIndex, trace: Sequence[TargetInstrument], total: Decimal) -> Sizing:
    """Size every traced instrument once, frozen and unheld ones included."""
    options, base = index.options, index.portfolio.base_currency
    log, use = _Log(), TaxUse()
    trades: list[SecurityTradeIntent] = []
    suppressed: list[SuppressedIntent] = []
    currencies = {row.currency for row in index.prices.values()}
    rates = {currency: index.rate(currency, base) for currency in currencies}
    for instrument_id, weight in {row.instrument_id: row.final_weight for row in trace}.items():
        drift = _measure(index, rates, instrument_id, total * weight, log)
        if drift is None:
            continue
        quantity = drift.units
        if options.enable_tax_awareness and drift.side == "SELL" and quantity > 0:
            quantity, use = _limit(index, drift, use, log)
        notional = Money(quantity * drift.price.price, drift.price.currency)
        threshold = _minimum_ticket(index, instrument_id)
        if threshold is not None and options.suppress_dust_trades and notional.amount < threshold.amount:
            suppressed.append(
                SuppressedIntent(
                    instrument_id=instrument_id,
                    reason="BELOW_MIN_NOTIONAL",
                    intended_notional=notional,
                    threshold=threshold,
                )
            )
        elif quantity > 0:
            trades.append(
                SecurityTradeIntent(
                    intent_id=f"oi_{len(trades) + 1}",
                    instrument_id=instrument_id,
                    side=drift.side,
                    quantity=quantity,
                    notional=notional,
                    notional_base=Money(notional.amount * drift.rate, base),
                    dependencies=(),
                    rationale=ALIGN,
                    constraints_applied=_LABELS[threshold is not None, quantity < drift.units],
                )
            )
    impact = None
    if options.enable_tax_awareness:
        impact = tax_impact(use, options.max_realized_capital_gains, base)
    warnings = (TAX_BUDGET_REACHED,) if log.tax_events else ()
    return Sizing(tuple(trades), tuple(suppressed), tuple(log.tax_events), impact, warnings, log.gaps())


def _measure(
    index: RequestIndex,
    rates: Mapping[str, Decimal | None],
    instrument_id: str,
    target_value: Decimal,
    log: _Log,
) -> _Drift | None:
    """Distance from the target in whole units of the instrument; none if the data does not allow it."""
    row = index.prices.get(instrument_id)
    if row is None:
        log.prices_missing.append(instrument_id)
        return None
    rate = rates[row.currency]
    if rate is None:
        log.rates_missing.append(f"{row.currency}/{index.portfolio.base_currency}")
        return None
    position = index.held.get(instrument_id)
    if position is None:
        held = ZERO
    elif position.market_value is not None:
        held = position.market_value.amount
    else:
        held = position.quantity * row.price
    drift = target_value / rate - held
    try:
        units = abs(drift) // row.price if row.price else ZERO
    except InvalidOperation:
        log.prices_missing.append(instrument_id)
        log.unusable_prices += 1
        return None
    return _Drift(instrument_id, row, rate, "BUY" if drift > 0 else "SELL", units)


def _limit(index: RequestIndex, drift: _Drift, use: TaxUse, log: _Log) -> tuple[Decimal, TaxUse]:
    position = index.held.get(drift.instrument_id)
    if position is None or not position.lots:
        return drift.units, use
    sale = limit_sale(index, position, drift.price, drift.rate, wanted=drift.units, use=use)
    if sale.rate_missing is not None:
        log.rates_missing.append(sale.rate_missing)
    if sale.quantity < drift.units:
        log.tax_events.append(
            TaxBudgetConstraintEvent(
                instrument_id=drift.instrument_id,
                requested_quantity=drift.units,
                allowed_quantity=sale.quantity,
                reason_code=TAX_BUDGET_REACHED,
            )
        )
    return sale.quantity, sale.use


def _minimum_ticket(index: RequestIndex, instrument_id: str) -> Money | None:
    """The request-wide minimum replaces that of the shelf, stricter or not."""
    if index.options.min_trade_notional is not None:
        return index.options.min_trade_notional
    shelf = index.shelf.get(instrument_id)
    return None if shelf is None else shelf.min_notional
