"""The request of a proposal with its rows indexed by identifier.

Rows may repeat. Prices, rates, and the shelf that valuation reads, have the first row of an identifier; trade
checks and suitability read the last shelf row (advisory specification, 1.4 and 1.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from service.domains.proposals.requests import (
    ProposalSimulateRequest,
    ProposedCashFlow,
    ProposedTrade,
    ReferenceModel,
)
from service.domains.rebalances.snapshots import ShelfEntry
from service.engines.portfolio import request_index


class RequestIndex(request_index.RequestIndex, frozen=True):
    """Everything the stages look up; the mappings are never written to after open_book."""

    # Section 3.2: the place of the one shows where a quotient is exact.
    INVERTED: ClassVar[Decimal] = Decimal("1.0")

    last_shelf: Mapping[str, ShelfEntry]
    cash_flows: tuple[ProposedCashFlow, ...]
    trades: tuple[ProposedTrade, ...]
    reference_model: ReferenceModel | None
    portfolio_snapshot_id: str
    market_data_snapshot_id: str


def build_index(request: ProposalSimulateRequest) -> RequestIndex:
    """Index a request once; snapshots without an id have the one the lineage gives them (section 2)."""
    portfolio, market = request.portfolio_snapshot, request.market_data_snapshot
    shelf = request_index.first_entries(request.shelf_entries)
    return RequestIndex(
        options=request.options,
        portfolio=portfolio,
        prices=request_index.usable_prices(market.prices, shelf, request.options),
        rates=request_index.usable_rates(market.fx_rates),
        shelf=shelf,
        last_shelf={row.instrument_id: row for row in request.shelf_entries},
        cash_flows=request.proposed_cash_flows,
        trades=request.proposed_trades,
        reference_model=request.reference_model,
        portfolio_snapshot_id=portfolio.snapshot_id or portfolio.portfolio_id,
        market_data_snapshot_id=market.snapshot_id or request_index.MARKET_DATA_ID,
    )
