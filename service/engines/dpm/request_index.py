"""The request of a rebalance with its rows indexed by identifier.

Rows may repeat; the first row of an identifier counts (engine specification, 1.3 and 6.1), except for
settlement days, where the last one does (6.9).
"""

from __future__ import annotations

from collections.abc import Mapping

from service.domains.rebalances.requests import RebalanceRequest
from service.domains.rebalances.snapshots import ModelTarget, Position, ShelfEntry
from service.engines.portfolio import request_index


class RequestIndex(request_index.RequestIndex, frozen=True):
    """Everything the stages look up; the mappings are never written to after open_book."""

    targets: tuple[ModelTarget, ...]
    shelf_rows: tuple[ShelfEntry, ...]
    held: Mapping[str, Position]


def build_index(request: RebalanceRequest) -> RequestIndex:
    """Index a request once."""
    portfolio = request.portfolio_snapshot
    market = request.market_data_snapshot
    shelf = request_index.first_entries(request.shelf_entries)
    return RequestIndex(
        options=request.options,
        portfolio=portfolio,
        prices=request_index.usable_prices(market.prices, shelf, request.options),
        rates=request_index.usable_rates(market.fx_rates),
        shelf=shelf,
        targets=request.model_portfolio.targets,
        shelf_rows=request.shelf_entries,
        held={row.instrument_id: row for row in reversed(portfolio.positions)},
    )
