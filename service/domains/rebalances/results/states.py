"""A valued portfolio, in the published shape and field order (engine specification, 3.2)."""

from __future__ import annotations

from decimal import Decimal

from service.domains.rebalances.results.values import InstrumentId, Value
from service.domains.rebalances.snapshots import CashBalance
from service.domains.values.money import Money


class AllocationMetric(Value, frozen=True, kw_only=True):
    """What one bucket of a portfolio is worth."""

    key: str
    """Name of the bucket: an asset class (`CASH` for all cash), an instrument id or the value of an
    attribute."""
    weight: Decimal
    """Share of the total value as a fraction of one (0.25 is 25 %), rounded to four decimals, half to
    even."""
    value: Money
    """Value in the base currency of the portfolio, not rounded."""


class PositionSummary(Value, frozen=True, kw_only=True):
    """A holding and its value."""

    instrument_id: InstrumentId
    quantity: Decimal
    """Units held; negative for a short position, 0 for one that was sold whole."""
    instrument_currency: str
    """Currency of the price, or of the trusted value; the base currency where there is no price."""
    asset_class: str
    """Asset class on the shelf; `UNKNOWN` where the shelf does not list the instrument."""
    price: Money | None
    """Price of one unit; null where the market data has none."""
    value_in_instrument_ccy: Money
    """Quantity times price, or the market value of the snapshot where that is trusted; 0 without either."""
    value_in_base_ccy: Money
    """The same in the base currency of the portfolio; 0 where there is no rate."""
    weight: Decimal
    """Share of the total value as a fraction of one, rounded to four decimals, half to even."""


class SimulatedState(Value, frozen=True, kw_only=True):
    """Valued holdings; weights are rounded to four places here and nowhere else (4.2)."""

    total_value: Money
    """Positions and cash together, in the base currency of the portfolio."""
    cash_balances: tuple[CashBalance, ...]
    """Cash by currency: as given, or after the trades; a currency that trades first touch is added at the
    end."""
    positions: tuple[PositionSummary, ...]
    """One row for each position of the request in its order, then what was bought anew."""
    allocation_by_asset_class: tuple[AllocationMetric, ...]
    """Value by asset class, in the order first met; cash is `CASH`."""
    allocation_by_instrument: tuple[AllocationMetric, ...]
    """Value by position, in the order of `positions`; cash is left out."""
    allocation: tuple[AllocationMetric, ...]
    """The same rows as `allocation_by_instrument`."""
    allocation_by_attribute: dict[str, tuple[AllocationMetric, ...]]
    """Value by attribute of the shelf (such as `sector`) and by its values; cash is left out."""
