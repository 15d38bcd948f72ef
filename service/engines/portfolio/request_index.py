"""What the engines look up in a request, indexed by identifier, so that no stage ever searches a list.

Rows may repeat; the first row of an identifier counts (engine specification, 1.3 and 6.1; advisory
specification, 1.4 and 1.5). Where the last one does, the engine's own book says so.

A price or a rate that is not positive counts as missing (ruling 10), with one exception: the price 0 of an
instrument that its shelf row forbids to trade is its value, for a line that was written off is worth nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

import msgspec

from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.snapshots import FxRate, PortfolioSnapshot, Price, ShelfEntry
from service.domains.values.money import ONE

# The rate of a currency to itself; its one decimal place shows in the scale of every product.
SAME_CURRENCY = Decimal("1.0")

# Shelf statuses under which nothing is traded, whatever the options.
FROZEN = ("BANNED", "SUSPENDED")

# Names market data that came without an id.
MARKET_DATA_ID = "md"


class RequestIndex(msgspec.Struct, frozen=True):
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
        """Units of target per unit of source, above zero; nothing is triangulated."""
        if source == target:
            return SAME_CURRENCY
        direct = self.rates.get(f"{source}/{target}")
        if direct is not None:
            return direct
        inverse = self.rates.get(f"{target}/{source}")
        return None if inverse is None else self.INVERTED / inverse


def usable_prices(
    rows: Sequence[Price], shelf: Mapping[str, ShelfEntry], options: EngineOptions
) -> dict[str, Price]:
    """The first price of each instrument, if it is one; a first row without use hides those behind it."""
    # Reading the rows backwards lets the first of each instrument win.
    first = {row.instrument_id: row for row in reversed(rows)}
    # Most requests have no other price than positive ones, and a second mapping is not free.
    if all([row.price > 0 for row in first.values()]):
        return first
    return {
        key: row
        for key, row in first.items()
        if row.price > 0 or (not row.price and is_frozen(shelf.get(key), options))
    }


def is_frozen(entry: ShelfEntry | None, options: EngineOptions) -> bool:
    """Whether its shelf row forbids to trade an instrument; without a row nothing says so."""
    if entry is None:
        return False
    return entry.status in FROZEN or (entry.status == "RESTRICTED" and not options.allow_restricted)


def usable_rates(rows: Sequence[FxRate]) -> dict[str, Decimal]:
    """The first rate of each pair, if it is one; a first row without use hides those behind it."""
    first = {row.pair: row.rate for row in reversed(rows)}
    return {pair: rate for pair, rate in first.items() if rate > 0}


def first_entries(rows: Sequence[ShelfEntry]) -> dict[str, ShelfEntry]:
    return {row.instrument_id: row for row in reversed(rows)}
