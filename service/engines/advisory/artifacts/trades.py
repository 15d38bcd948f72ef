"""The parts of a proposal artifact that list trades, exchanges and issues (advisory spec, 4.4 and 4.5)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from service.domains.proposals.artifact_trades import (
    ArtifactExchange,
    ArtifactTrade,
    ExecutionNote,
    TradesAndFunding,
)
from service.domains.proposals.artifacts import ArtifactSuitability, IssueHighlight
from service.domains.proposals.results import ProposalResult, ProposedTradeIntent
from service.domains.rebalances.results.intents import FxSpotIntent
from service.domains.rebalances.snapshots import FxRate
from service.engines.advisory.artifacts.texts import four_places

ORDERING_POLICY = "CASH_FLOW->SELL->FX->BUY"
DEPENDENCY = ExecutionNote(code="DEPENDENCY", text="Some purchases wait for an FX trade or a sale.")


def plain(number: Decimal) -> str:
    """Without an exponent and without zeros at the end of the fraction."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def trades_and_funding_of(result: ProposalResult, fx_rates: Sequence[FxRate]) -> TradesAndFunding:
    trades = [intent for intent in result.intents if isinstance(intent, ProposedTradeIntent)]
    exchanges = [intent for intent in result.intents if isinstance(intent, FxSpotIntent)]
    # The last row of a pair is the one shown, although the first one counts; an inverse pair shows none.
    shown = {row.pair: four_places(row.rate) for row in fx_rates if row.rate > 0}
    return TradesAndFunding(
        trade_list=tuple([_trade(intent) for intent in trades]),
        fx_list=tuple(
            [
                ArtifactExchange(
                    intent_id=intent.intent_id,
                    pair=intent.pair,
                    buy_amount=plain(intent.buy_amount),
                    sell_amount_estimated=plain(intent.sell_amount_estimated),
                    rate=shown.get(intent.pair),
                )
                for intent in sorted(exchanges, key=lambda intent: (intent.pair, intent.intent_id))
            ]
        ),
        ordering_policy=ORDERING_POLICY,
        execution_notes=(DEPENDENCY,) if any(intent.dependencies for intent in trades) else (),
    )


def suitability_of(result: ProposalResult, limit: int) -> ArtifactSuitability:
    suitability = result.suitability
    if suitability is None:
        return ArtifactSuitability(status="NOT_AVAILABLE")
    counts, issues = suitability.summary, suitability.issues
    return ArtifactSuitability(
        status="AVAILABLE",
        new_issues=counts.new_count,
        resolved_issues=counts.resolved_count,
        persistent_issues=counts.persistent_count,
        highest_severity_new=counts.highest_severity_new,
        highlights=tuple(
            [
                IssueHighlight(code=issue.status_change, text=f"{issue.status_change}: {issue.issue_id}")
                for issue in issues[:limit]
            ]
        ),
        issues=issues,
    )


def _trade(intent: ProposedTradeIntent) -> ArtifactTrade:
    return ArtifactTrade(
        intent_id=intent.intent_id,
        instrument_id=intent.instrument_id,
        side=intent.side,
        quantity=plain(intent.quantity),
        estimated_notional=intent.notional,
        estimated_notional_base=intent.notional_base,
        dependencies=intent.dependencies,
        rationale=intent.rationale,
    )
