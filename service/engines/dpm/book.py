"""The request with its rows indexed by identifier, so that no stage ever searches a list.

Rows may repeat; the first row of an identifier counts (engine specification, 1.3 and 6.1), except for
settlement days, where the last one does (6.9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from service.domains.money import ONE
from service.domains.options import EngineOptions
from service.domains.rebalances import RebalanceRequest
from service.domains.snapshots import ModelTarget, PortfolioSnapshot, Position, Price, ShelfEntry

# The rate of a currency to itself; its one decimal place shows in the scale of every product.
SAME_CURRENCY = Decimal("1.0")


@dataclass(frozen=True, slots=True)
class Book:
    """Everything the stages look up; the mappings are never written to after open_book."""

    options: EngineOptions
    portfolio: PortfolioSnapshot
    targets: tuple[ModelTarget, ...]
    shelf_rows: tuple[ShelfEntry, ...]
    prices: Mapping[str, Price]
    rates: Mapping[str, Decimal]
    shelf: Mapping[str, ShelfEntry]
    held: Mapping[str, Position]

    @property
    def base_currency(self) -> str:
        return self.portfolio.base_currency

    def rate(self, source: str, target: str) -> Decimal | None:
        """Units of target per unit of source (6.1); zero counts as missing, nothing is triangulated."""
        if source == target:
            return SAME_CURRENCY
        direct = self.rates.get(f"{source}/{target}")
        if direct:
            return direct
        inverse = self.rates.get(f"{target}/{source}")
        return ONE / inverse if inverse else None


def open_book(request: RebalanceRequest) -> Book:
    """Index a request once; reading the rows backwards lets the first of each identifier win."""
    portfolio = request.portfolio_snapshot
    market = request.market_data_snapshot
    return Book(
        options=request.options,
        portfolio=portfolio,
        targets=request.model_portfolio.targets,
        shelf_rows=request.shelf_entries,
        prices={row.instrument_id: row for row in reversed(market.prices)},
        rates={row.pair: row.rate for row in reversed(market.fx_rates)},
        shelf={row.instrument_id: row for row in reversed(request.shelf_entries)},
        held={row.instrument_id: row for row in reversed(portfolio.positions)},
    )
