"""Values holdings and cash in the base currency (engine specification, 6.1; advisory specification, 3.3).

Problem: positions are priced in many currencies and some data may be missing; the state must still add up.
Example: 118 units at 40.766 CHF and 8,442.00 CHF cash are worth 13,252.388 CHF; the units weigh 0.3630.
Rounding: none but the 28 digits of the context; the weights that are published, and only those, have four
decimals (4.2). Every later stage uses the unrounded ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import repeat
from operator import truediv

import msgspec

from service.domains.rebalances.options import ValuationMode
from service.domains.rebalances.results.states import AllocationMetric, PositionSummary, SimulatedState
from service.domains.rebalances.snapshots import CashBalance, Position, ShelfEntry
from service.domains.values.money import ONE, ZERO, Money
from service.engines.limits.result_size import ResultSize
from service.engines.portfolio.missing_data import NO_GAPS, MissingData
from service.engines.portfolio.request_index import RequestIndex

CASH_CLASS = "CASH"
UNKNOWN_CLASS = "UNKNOWN"

_FOUR_PLACES = Decimal("0.0001")
# Wide enough for the largest weight that accepted numbers can give: a near-zero total makes weights huge.
_PUBLISHED = Context(prec=600, rounding=ROUND_HALF_EVEN)


class Valuation(msgspec.Struct, frozen=True):
    """A valued state: what is published, and the unrounded figures that the stages compute with."""

    state: SimulatedState
    total: Decimal
    weights: tuple[Decimal, ...]
    cash_weight: Decimal
    gaps: MissingData


class _Valued(msgspec.Struct, frozen=True, gc=False):
    position: Position
    price: Money | None
    local_value: Money
    base_value: Decimal
    shelf: ShelfEntry | None


def value_state(
    index: RequestIndex,
    positions: Sequence[Position],
    cash_balances: Sequence[CashBalance],
    mode: ValuationMode,
    size: ResultSize | None = None,
) -> Valuation:
    """Value these holdings; a row that cannot be valued counts as zero and is reported as a gap.

    Raises ResultTooLarge where `size` has no room for what is published.
    """
    size = size or ResultSize()
    currency = index.portfolio.base_currency
    size.add_positions([position.instrument_id for position in positions], currency)
    rates_missing: list[str] = []
    rows = _value_positions(index, positions, mode, rates_missing)
    cash_values = _value_cash(index, cash_balances, rates_missing)
    values = [row.base_value for row in rows]
    total = sum(cash_values, sum(values, ZERO))
    divisor = total or ONE

    weights = tuple(map(truediv, values, repeat(divisor)))
    by_class, by_attribute = _buckets(rows)
    for by_tag in by_attribute.values():
        size.add_metrics(by_tag, currency)
    by_class[CASH_CLASS] = by_class.get(CASH_CLASS, ZERO) + sum(cash_values, ZERO)
    summaries, metrics = _publish(rows, weights, currency)
    state = SimulatedState(
        total_value=Money(total, currency),
        cash_balances=tuple(cash_balances),
        positions=summaries,
        allocation_by_asset_class=_metrics(by_class, divisor, currency),
        allocation_by_instrument=metrics,
        allocation=metrics,
        allocation_by_attribute={
            name: _metrics(by_tag, divisor, currency) for name, by_tag in by_attribute.items()
        },
    )
    prices_missing = tuple([row.position.instrument_id for row in rows if row.price is None])
    gaps = MissingData(prices_missing, tuple(rates_missing)) if prices_missing or rates_missing else NO_GAPS
    return Valuation(state, total, weights, by_class[CASH_CLASS] / divisor, gaps)


def exact_weights(rows: Sequence[AllocationMetric], state: SimulatedState) -> list[Decimal]:
    """The unrounded weights of rows of the state, in their order.

    A published state has its values unrounded, so this gives what the stages computed with, also for a state
    that was stored and read back. Call it under the engine's context.
    """
    divisor = state.total_value.amount or ONE
    return [row.value.amount / divisor for row in rows]


def weights_by_key(rows: Sequence[AllocationMetric], weights: Sequence[Decimal]) -> dict[str, Decimal]:
    """These weights by the keys of their rows; of repeated rows the last one counts."""
    return {row.key: weight for row, weight in zip(rows, weights, strict=True)}


def _value_positions(
    index: RequestIndex, positions: Sequence[Position], mode: ValuationMode, rates_missing: list[str]
) -> list[_Valued]:
    base = index.portfolio.base_currency
    price_of, shelf_of = index.prices.get, index.shelf.get
    # Most rows share a handful of currencies; an inverse rate costs a division, so each is taken once.
    rates: dict[str, Decimal | None] = {}
    trusted = mode is ValuationMode.TRUST_SNAPSHOT
    rows: list[_Valued] = []
    for position in positions:
        instrument_id = position.instrument_id
        row = price_of(instrument_id)
        if row is None:
            currency, amount = base, position.quantity * ZERO
        else:
            currency, amount = row.currency, position.quantity * row.price
        if trusted and position.market_value is not None:
            currency, amount = position.market_value.currency, position.market_value.amount
        if currency not in rates:
            rates[currency] = index.rate(currency, base)
        rate = rates[currency]
        if rate is None:
            rates_missing.append(f"{currency}/{base}")
            base_value = ZERO
        else:
            base_value = amount * rate
        price = None if row is None else Money(row.price, currency)
        rows.append(_Valued(position, price, Money(amount, currency), base_value, shelf_of(instrument_id)))
    return rows


def _value_cash(
    index: RequestIndex, cash_balances: Sequence[CashBalance], rates_missing: list[str]
) -> list[Decimal]:
    base = index.portfolio.base_currency
    values: list[Decimal] = []
    for cash in cash_balances:
        if cash.currency == base:
            values.append(cash.amount)
            continue
        rate = index.rate(cash.currency, base)
        if rate is None:
            rates_missing.append(f"{cash.currency}/{base}")
        else:
            values.append(cash.amount * rate)
    return values


def _buckets(rows: Sequence[_Valued]) -> tuple[dict[str, Decimal], dict[str, dict[str, Decimal]]]:
    by_class: dict[str, Decimal] = {}
    by_attribute: dict[str, dict[str, Decimal]] = {}
    # Shelf entries mostly have the same attributes, so these are put in order once.
    ordered: dict[tuple[str, ...], list[tuple[str, dict[str, Decimal]]]] = {}
    for row in rows:
        value, shelf = row.base_value, row.shelf
        if shelf is None:
            by_class[UNKNOWN_CLASS] = by_class.get(UNKNOWN_CLASS, ZERO) + value
            continue
        asset_class, attributes = shelf.asset_class, shelf.attributes
        by_class[asset_class] = by_class.get(asset_class, ZERO) + value
        names = tuple(attributes)
        sums = ordered.get(names)
        if sums is None:
            # As the stored request has them: its text is canonical, and a replay must give the same bytes.
            sums = [(name, by_attribute.setdefault(name, defaultdict(Decimal))) for name in sorted(names)]
            ordered[names] = sums
        for name, tags in sums:
            tags[attributes[name]] += value
    return by_class, by_attribute


def _publish(
    rows: Sequence[_Valued], weights: Sequence[Decimal], currency: str
) -> tuple[tuple[PositionSummary, ...], tuple[AllocationMetric, ...]]:
    quantize = _PUBLISHED.quantize
    summaries: list[PositionSummary] = []
    metrics: list[AllocationMetric] = []
    for row, weight in zip(rows, weights, strict=True):
        position = row.position
        value = Money(row.base_value, currency)
        rounded = quantize(weight, _FOUR_PLACES)
        summaries.append(
            PositionSummary(
                instrument_id=position.instrument_id,
                quantity=position.quantity,
                instrument_currency=row.local_value.currency,
                asset_class=UNKNOWN_CLASS if row.shelf is None else row.shelf.asset_class,
                price=row.price,
                value_in_instrument_ccy=row.local_value,
                value_in_base_ccy=value,
                weight=rounded,
            )
        )
        metrics.append(AllocationMetric(key=position.instrument_id, weight=rounded, value=value))
    return tuple(summaries), tuple(metrics)


def _metrics(values: Mapping[str, Decimal], divisor: Decimal, currency: str) -> tuple[AllocationMetric, ...]:
    quantize = _PUBLISHED.quantize
    return tuple(
        [
            AllocationMetric(
                key=key, weight=quantize(value / divisor, _FOUR_PLACES), value=Money(value, currency)
            )
            for key, value in values.items()
        ]
    )
