"""Writes a finished or blocked run down as the published result (engine specification, 3, 7.3 and 8).

Problem: runs blocked early show less than runs blocked late, and a reader must find the same fields in both.
Example: a missing price that blocks leaves no trades, coverage 0 and the bare summary "Blocked".
Rounding: none.
"""

from __future__ import annotations

from decimal import Decimal

from service.domains.rebalances.results.diagnostics import DiagnosticsData
from service.domains.rebalances.results.gates import GateDecision
from service.domains.rebalances.results.rebalance import LineageData, RebalanceResult
from service.domains.rebalances.results.targets import Explanation, TargetData, UniverseCoverage, UniverseData
from service.domains.rebalances.results.values import RunStatusText
from service.domains.values.money import ONE, ZERO
from service.engines.dpm.run import Run
from service.engines.portfolio.request_index import MARKET_DATA_ID
from service.engines.review.gate import decide_gate


def result_of(run: Run, engine_version: str) -> RebalanceResult:
    """The result every run ends in, whatever stopped it."""
    status = status_of(run)
    identity = run.identity
    early = run.block is not None and run.block.early
    if early:
        explanation = Explanation(summary="Blocked")
    else:
        explanation = Explanation(summary=status, target_method_comparison=run.comparison)
    return RebalanceResult(
        rebalance_run_id=identity.run_id,
        correlation_id=identity.correlation_id,
        status=status,
        before=run.before.state,
        universe=_universe(run, ZERO if early else ONE),
        target=TargetData(target_id=f"t_{identity.run_id}", strategy={}, targets=run.targets.trace),
        intents=() if early else run.ordered.intents,
        after_simulated=run.after.state,
        reconciliation=run.reconciliation,
        tax_impact=None if early else run.sizing.tax_impact,
        rule_results=run.rules,
        explanation=explanation,
        diagnostics=_diagnostics(run),
        gate_decision=_gate(run, status),
        lineage=LineageData(
            portfolio_snapshot_id=run.index.portfolio.portfolio_id,
            market_data_snapshot_id=MARKET_DATA_ID,
            request_hash=identity.request_hash,
            engine_version=engine_version,
        ),
    )


def status_of(run: Run) -> RunStatusText:
    """Section 7.3; data gaps that do not block do not matter here."""
    if run.block is not None:
        return "BLOCKED"
    if run.targets.status == "PENDING_REVIEW" or any(rule.status == "FAIL" for rule in run.rules):
        return "PENDING_REVIEW"
    return "READY"


def _gate(run: Run, status: RunStatusText) -> GateDecision | None:
    options = run.index.options
    if not options.enable_workflow_gates:
        return None
    consent_missing = options.workflow_requires_client_consent and not options.client_consent_already_obtained
    return decide_gate(status, run.rules, run.gaps.published(), consent_missing=consent_missing)


def _universe(run: Run, coverage: Decimal) -> UniverseData:
    universe = run.universe
    return UniverseData(
        universe_id=f"u_{run.identity.run_id}",
        eligible_for_buy=universe.buyable,
        eligible_for_sell=universe.sellable,
        excluded=universe.excluded,
        coverage=UniverseCoverage(price_coverage_pct=coverage, fx_coverage_pct=coverage),
    )


def _diagnostics(run: Run) -> DiagnosticsData:
    return DiagnosticsData(
        warnings=run.warnings,
        suppressed_intents=run.sizing.suppressed,
        dropped_intents=run.dropped,
        group_constraint_events=run.targets.group_events,
        tax_budget_constraint_events=run.sizing.tax_events,
        cash_ladder=run.ladder.points,
        cash_ladder_breaches=run.ladder.breaches,
        data_quality=run.gaps.published(),
    )
