"""The two requests of the discretionary desk: one simulation, or named what-if scenarios over one book.

Source: sections 2.2 and 9.1 of the engine specification.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

import msgspec

from service.domains.rebalances.options import EngineOptions
from service.domains.rebalances.snapshots import (
    MarketDataSnapshot,
    ModelPortfolio,
    PortfolioSnapshot,
    ShelfEntry,
    currencies_of,
)
from service.domains.values.bounds import COMMENT, CURRENCIES_MAX, FREE, ROWS, SCENARIOS, TotalBound
from service.domains.values.fields import Check, Checked, FieldRule

SCENARIOS_MAX = 20

_SCENARIO_NAME = re.compile(r"[a-z0-9_\-]{1,64}")

_CURRENCIES = TotalBound(
    CURRENCIES_MAX,
    "currencies of cash and prices together",
    lambda request: len(currencies_of(request.portfolio_snapshot, request.market_data_snapshot)),
)


class RebalanceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One simulation."""

    TOTALS: ClassVar[tuple[TotalBound, ...]] = (_CURRENCIES,)

    portfolio_snapshot: PortfolioSnapshot
    """Holdings and cash before trades."""
    market_data_snapshot: MarketDataSnapshot
    """Prices and rates."""
    model_portfolio: ModelPortfolio
    """Target weights; what they leave is cash."""
    shelf_entries: Annotated[tuple[ShelfEntry, ...], ROWS]
    """What the house allows for each product; may be empty."""
    options: EngineOptions
    """Switches and limits; may be `{}`."""


class SimulationScenario(msgspec.Struct, frozen=True, kw_only=True):
    """One what-if; its options are validated by themselves when it runs."""

    description: Annotated[str | None, COMMENT] = None
    """What the scenario is about, for its reader; not used. Null where nothing is said."""
    options: Annotated[dict[str, Any], FREE] = msgspec.field(default_factory=dict)
    """Engine options of this scenario."""


class BatchRebalanceRequest(Checked, frozen=True, kw_only=True):
    """Named scenarios over one shared, never changed book."""

    TOTALS: ClassVar[tuple[TotalBound, ...]] = (_CURRENCIES,)
    CHECKS: ClassVar[tuple[Check, ...]] = (
        FieldRule("scenarios", "at least one scenario is required", lambda named: len(named) > 0),
        FieldRule(
            "scenarios",
            f"scenario count exceeds maximum of {SCENARIOS_MAX}",
            lambda named: len(named) <= SCENARIOS_MAX,
        ),
        FieldRule(
            "scenarios",
            r"scenario names must match regex [a-z0-9_\-]{1,64}",
            lambda named: all(_SCENARIO_NAME.fullmatch(name) for name in named),
        ),
    )

    portfolio_snapshot: PortfolioSnapshot
    """Holdings and cash before trades, the same for all scenarios."""
    market_data_snapshot: MarketDataSnapshot
    """Prices and rates, the same for all scenarios."""
    model_portfolio: ModelPortfolio
    """Target weights, the same for all scenarios."""
    shelf_entries: Annotated[tuple[ShelfEntry, ...], ROWS]
    """What the house allows for each product; may be empty."""
    scenarios: Annotated[dict[str, SimulationScenario], SCENARIOS]
    """1 to 20 scenarios by name."""

    def request_of(self, options: EngineOptions) -> RebalanceRequest:
        """The single simulation that a scenario with these options stands for."""
        return RebalanceRequest(
            portfolio_snapshot=self.portfolio_snapshot,
            market_data_snapshot=self.market_data_snapshot,
            model_portfolio=self.model_portfolio,
            shelf_entries=self.shelf_entries,
            options=options,
        )
