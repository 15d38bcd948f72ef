"""Writes a finished run down as the published result (advisory specification, section 2)."""

from __future__ import annotations

from service.domains.proposals.results import ProposalResult
from service.domains.rebalances.results.diagnostics import DiagnosticsData
from service.domains.rebalances.results.rebalance import LineageData
from service.domains.rebalances.results.targets import Explanation
from service.engines.advisory.run import Run


def result_of(run: Run, engine_version: str) -> ProposalResult:
    """The result of a run that has been through every stage."""
    index, identity = run.index, run.identity
    assert run.reconciliation is not None
    return ProposalResult(
        proposal_run_id=identity.run_id,
        correlation_id=identity.correlation_id,
        status=run.status,
        before=run.before.state,
        intents=run.intents,
        after_simulated=run.after.state,
        reconciliation=run.reconciliation,
        rule_results=run.rules,
        explanation=Explanation(summary=run.status),
        diagnostics=DiagnosticsData(
            warnings=run.warnings,
            suppressed_intents=(),
            dropped_intents=(),
            group_constraint_events=(),
            tax_budget_constraint_events=(),
            cash_ladder=(),
            cash_ladder_breaches=(),
            missing_fx_pairs=run.funding.missing_pairs,
            funding_plan=run.funding.plan,
            insufficient_cash=run.funding.insufficient,
            data_quality=run.gaps.published(),
        ),
        drift_analysis=run.drift,
        suitability=run.suitability,
        gate_decision=run.gate,
        lineage=LineageData(
            portfolio_snapshot_id=index.portfolio_snapshot_id,
            market_data_snapshot_id=index.market_data_snapshot_id,
            request_hash=identity.request_hash,
            idempotency_key=identity.idempotency_key,
            engine_version=engine_version,
        ),
    )
