"""What the engines look up in a request, indexed by identifier, so that no stage ever searches a list.

Rows may repeat; the first row of an identifier counts (engine specification, 1.3 and 6.1; advisory
specification, 1.4 and 1.5). Where the last one does, the engine's own book says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from service.domains.money import ONE
from service.domains.options import EngineOptions
from service.domains.snapshots import FxRate, PortfolioSnapshot, Price, ShelfEntry

# The rate of a currency to itself; its one decimal place shows in the scale of every product.
SAME_CURRENCY = Decimal("1.0")

# Names market data that came without an id.
MARKET_DATA_ID = "md"


@dataclass(frozen=True, slots=True)
class Book:
    """The part of a book that every engine has; the mappings are never written to once it is open."""

    # What an inverse rate divides; its places can show in the scale of the quotient.
    INVERTED: ClassVar[Decimal] = ONE

    options: EngineOptions
    portfolio: PortfolioSnapshot
    prices: Mapping[str, Price]
    rates: Mapping[str, Decimal]
    shelf: Mapping[str, ShelfEntry]

    @property
    def base_currency(self) -> str:
        return self.portfolio.base_currency

    def rate(self, source: str, target: str) -> Decimal | None:
        """Units of target per unit of source; zero counts as missing, nothing is triangulated."""
        if source == target:
            return SAME_CURRENCY
        direct = self.rates.get(f"{source}/{target}")
        if direct:
            return direct
        inverse = self.rates.get(f"{target}/{source}")
        return self.INVERTED / inverse if inverse else None


def first_prices(rows: Sequence[Price]) -> dict[str, Price]:
    """Reading the rows backwards lets the first of each instrument win."""
    return {row.instrument_id: row for row in reversed(rows)}


def first_rates(rows: Sequence[FxRate]) -> dict[str, Decimal]:
    return {row.pair: row.rate for row in reversed(rows)}


def first_entries(rows: Sequence[ShelfEntry]) -> dict[str, ShelfEntry]:
    return {row.instrument_id: row for row in reversed(rows)}
