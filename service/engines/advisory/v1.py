"""The simulation of a proposal, version 1: the stages and their order (advisory specification, 3.4).

Problem: cash flows and trades entered by hand become one result, the same bytes for the same request.
Example: 10,000.00 SGD of cash and a BUY of 10 units at 100 leave 9,000.00 and a status READY.
Rounding: every stage runs under 28 digits, half to even.

The order is data: a corrected version brings its own tuple, sharing every stage it does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from service.domains.proposals.requests import ProposalSimulateRequest
from service.domains.proposals.results import ProposalResult, ProposedTradeIntent
from service.domains.rebalances.options import ValuationMode
from service.engines.advisory.assembly import result_of
from service.engines.advisory.overflow import unusable_prices
from service.engines.advisory.request_index import build_index
from service.engines.advisory.run import ProposalIdentity, Run
from service.engines.advisory.stages.cash_flows import apply_cash_flows
from service.engines.advisory.stages.drift import BASE_CURRENCY_MISMATCH, analyse_drift
from service.engines.advisory.stages.execution import by_pair, execute_buys, execute_sells
from service.engines.advisory.stages.funding import Funding, fund
from service.engines.advisory.stages.suitability import new_issues, scan_suitability
from service.engines.advisory.stages.trades import read_trades
from service.engines.advisory.verdict import guards, reconcile, status_of
from service.engines.limits.answer_bounds import instruments_of, within_bounds
from service.engines.limits.result_size import ResultSize
from service.engines.portfolio.holdings import amounts_of, cash_with, positions_with, quantities_of
from service.engines.portfolio.missing_data import NO_GAPS, MissingData
from service.engines.portfolio.valuation import value_state
from service.engines.review.gate import decide_gate
from service.engines.review.rules import evaluate_rules

__all__ = ["ENGINE_VERSION", "STAGES", "ProposalIdentity", "run_stages", "simulate"]

ENGINE_VERSION = "1"

Stage = Callable[[Run], Run]


def simulate(
    request: ProposalSimulateRequest, identity: ProposalIdentity, bytes_max: int | None = None
) -> ProposalResult:
    """Simulate one proposal; a valid request always gives a result, if need be a blocked one.

    Raises ResultTooLarge once it is known that the result, as it is written, is over `bytes_max` bytes.
    """
    return run_stages(STAGES, ENGINE_VERSION, request, identity, bytes_max)


def run_stages(
    stages: Sequence[Stage],
    engine_version: str,
    request: ProposalSimulateRequest,
    identity: ProposalIdentity,
    bytes_max: int | None = None,
) -> ProposalResult:
    """Walk all stages; a proposal that is blocked is still shown whole."""

    def walk(gaps: MissingData) -> ProposalResult:
        run = open_run(request, identity, gaps, ResultSize(bytes_max))
        for stage in stages:
            run = stage(run)
        return result_of(run, engine_version)

    return within_bounds(walk, lambda: instruments_of(request))


def open_run(
    request: ProposalSimulateRequest,
    identity: ProposalIdentity,
    gaps: MissingData = NO_GAPS,
    size: ResultSize | None = None,
) -> Run:
    """A run that knows its book and the value of the portfolio before the proposal (3.3)."""
    index = build_index(request)
    portfolio = index.portfolio
    size = size or ResultSize()
    mode = index.options.valuation_mode
    before = value_state(index, portfolio.positions, portfolio.cash_balances, mode, size)
    return Run(
        index=index,
        identity=identity,
        before=before,
        after=before,
        gaps=before.gaps + unusable_prices(before.state) + gaps,
        quantities=quantities_of(portfolio),
        amounts=amounts_of(portfolio),
        size=size,
    )


def cash_flow_stage(run: Run) -> Run:
    flows = apply_cash_flows(run.index, run.amounts)
    return replace(
        run,
        flows=flows.intents,
        amounts=flows.amounts,
        warnings=run.warnings + flows.failures,
        failures=run.failures + flows.failures,
    )


def trades_stage(run: Run) -> Run:
    trades = read_trades(run.index)
    return replace(
        run,
        sells=trades.sells,
        buys=trades.buys,
        warnings=run.warnings + trades.failures,
        failures=run.failures + trades.failures,
        gaps=run.gaps + trades.gaps,
    )


def sells_stage(run: Run) -> Run:
    executed = execute_sells(run.quantities, run.amounts, run.sells)
    return replace(run, quantities=executed.quantities, amounts=executed.amounts)


def funding_stage(run: Run) -> Run:
    """Without automatic funding all purchases are executed, paid for or not."""
    if not run.index.options.auto_funding:
        return replace(run, funding=Funding(amounts=run.amounts))
    funding = fund(run.index, run.amounts, run.buys, run.gaps.rates)
    return replace(
        run,
        funding=funding,
        warnings=run.warnings + funding.warnings,
        failures=run.failures + funding.failures,
        gaps=run.gaps + funding.gaps,
    )


def buys_stage(run: Run) -> Run:
    after_sells = bool(run.index.options.link_buy_to_same_currency_sell_dependency)
    executed = execute_buys(run.quantities, run.buys, run.sells, run.funding, after_sells=after_sells)
    return replace(
        run,
        quantities=executed.quantities,
        amounts=executed.amounts,
        warnings=run.warnings + executed.warnings,
        intents=(*run.flows, *run.sells, *by_pair(run.funding.exchanges), *executed.intents),
    )


def after_stage(run: Run) -> Run:
    portfolio = run.index.portfolio
    positions, cash = positions_with(portfolio, run.quantities), cash_with(portfolio, run.amounts)
    after = value_state(run.index, positions, cash, ValuationMode.CALCULATED, run.size)
    return replace(run, after=after, gaps=run.gaps + after.gaps + unusable_prices(after.state))


def rules_stage(run: Run) -> Run:
    funding = run.funding
    rules = (
        *evaluate_rules(run.after, run.index.options, gaps=run.gaps, suppressed=0),
        *guards(run.failures, funding.missing_pairs, review_forced=funding.review_forced),
    )
    return replace(run, rules=rules, status=status_of(rules))


def reconciliation_stage(run: Run) -> Run:
    reconciled = reconcile(run.index, run.before.total, run.after.total)
    run = replace(run, reconciliation=reconciled.reconciliation, gaps=run.gaps + reconciled.gaps)
    if reconciled.failure is None:
        return run
    return replace(run, rules=(*run.rules, reconciled.failure), status="BLOCKED")


def drift_stage(run: Run) -> Run:
    index, model = run.index, run.index.reference_model
    if model is None or not index.options.enable_drift_analytics:
        return run
    if model.base_currency != index.base_currency:
        return replace(run, warnings=(*run.warnings, BASE_CURRENCY_MISMATCH))
    traded = [intent.instrument_id for intent in run.intents if isinstance(intent, ProposedTradeIntent)]
    drift = analyse_drift(model, run.before, run.after, traded, index.options)
    return replace(run, drift=drift)


def suitability_stage(run: Run) -> Run:
    if not run.index.options.enable_suitability_scanner:
        return run
    return replace(run, suitability=scan_suitability(run.index, run.before, run.after))


def gate_stage(run: Run) -> Run:
    options = run.index.options
    if not options.enable_workflow_gates:
        return run
    gate = decide_gate(
        run.status,
        run.rules,
        run.gaps.published(),
        consent_missing=not options.client_consent_already_obtained,
        issues=new_issues(run.suitability),
    )
    return replace(run, gate=gate)


STAGES: tuple[Stage, ...] = (
    cash_flow_stage,
    trades_stage,
    sells_stage,
    funding_stage,
    buys_stage,
    after_stage,
    rules_stage,
    reconciliation_stage,
    drift_stage,
    suitability_stage,
    gate_stage,
)
