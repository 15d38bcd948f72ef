"""The pure pieces of the what-if batch (engine specification, section 9).

Problem: scenarios over one book are compared by a few figures, and one that fails must not hide the others.
Example: two trades of 1,000 and 500 in base give a count of 2 and a gross turnover of 1,500.
Rounding: none but the 28 digits of the context, and the bounds of what is answered (ruling 2).
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import localcontext

from service.domains.rebalances.requests import BatchRebalanceRequest
from service.domains.rebalances.results.intents import SecurityTradeIntent
from service.domains.rebalances.results.rebalance import BatchScenarioMetric, RebalanceResult
from service.domains.values.money import ENGINE_CONTEXT, ZERO, Money
from service.engines.dpm.run import RunIdentity
from service.engines.limits.answer_bounds import bounded_number
from service.engines.portfolio.request_index import MARKET_DATA_ID

PARTIAL_FAILURE = "PARTIAL_BATCH_FAILURE"


def metric_of(result: RebalanceResult, base_currency: str) -> BatchScenarioMetric:
    """Security trades of a scenario and what they move, also when the scenario is blocked."""
    trades = [intent for intent in result.intents if isinstance(intent, SecurityTradeIntent)]
    with localcontext(ENGINE_CONTEXT):
        turnover = sum([trade.notional_base.amount for trade in trades], ZERO)
    return BatchScenarioMetric(
        status=result.status,
        security_intent_count=len(trades),
        gross_turnover_notional_base=Money(bounded_number(turnover), base_currency),
    )


def base_snapshot_ids(request: BatchRebalanceRequest) -> dict[str, str]:
    """What the scenarios were computed from; a snapshot id given by the caller wins."""
    portfolio, market = request.portfolio_snapshot, request.market_data_snapshot
    return {
        "portfolio_snapshot_id": portfolio.snapshot_id or portfolio.portfolio_id,
        "market_data_snapshot_id": market.snapshot_id or MARKET_DATA_ID,
    }


def batch_warnings(failed_scenarios: Collection[str]) -> tuple[str, ...]:
    return (PARTIAL_FAILURE,) if failed_scenarios else ()


def scenario_identity(batch_id: str, name: str, run_id: str, correlation_id: str | None) -> RunIdentity:
    """How one scenario's run is known; without a caller's correlation id the batch id stands in (9.2)."""
    return RunIdentity(
        run_id=run_id,
        correlation_id=f"{correlation_id or batch_id}:{name}",
        request_hash=f"{batch_id}:{name}",
    )
