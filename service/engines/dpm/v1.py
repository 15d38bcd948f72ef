"""The discretionary rebalance simulation, version 1: the stages and their order (engine specification, 5).

Problem: one request becomes one result, the same bytes for the same request, whatever the data looks like.
Example: 10,000.00 SGD of cash and a model of one instrument at 100 % priced 100 buy 100 units; status READY.
Rounding: every stage runs under 28 digits, half to even.

The order is data: a corrected version brings its own tuple, sharing every stage it does not change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from service.domains.rebalances.options import ValuationMode
from service.domains.rebalances.requests import RebalanceRequest
from service.domains.rebalances.results.rebalance import RebalanceResult
from service.engines.dpm.assembly import result_of
from service.engines.dpm.request_index import build_index
from service.engines.dpm.run import Block, Run, RunIdentity
from service.engines.dpm.stages.after_state import execute
from service.engines.dpm.stages.ordering import order_trades
from service.engines.dpm.stages.rules import ladder_failure, reconcile, safety_warnings
from service.engines.dpm.stages.settlement import project_cash_ladder
from service.engines.dpm.stages.sizing import size_trades
from service.engines.dpm.stages.solver import TARGETS_BY_METHOD, compare_methods, divergence_warnings
from service.engines.dpm.stages.turnover import cap_turnover
from service.engines.dpm.stages.universe import select_universe
from service.engines.limits.answer_bounds import instruments_of, within_bounds
from service.engines.limits.result_size import ResultSize
from service.engines.portfolio.missing_data import NO_GAPS, MissingData
from service.engines.portfolio.valuation import value_state
from service.engines.review.rules import evaluate_rules, hard_failures

__all__ = ["ENGINE_VERSION", "STAGES", "RunIdentity", "run_stages", "simulate"]

ENGINE_VERSION = "1"

Stage = Callable[[Run], Run]


def simulate(
    request: RebalanceRequest, identity: RunIdentity, bytes_max: int | None = None
) -> RebalanceResult:
    """Simulate one rebalance; a valid request always gives a result, if need be a blocked one.

    Raises ResultTooLarge once it is known that the result, as it is written, is over `bytes_max` bytes.
    """
    return run_stages(STAGES, ENGINE_VERSION, request, identity, bytes_max)


def run_stages(
    stages: Sequence[Stage],
    engine_version: str,
    request: RebalanceRequest,
    identity: RunIdentity,
    bytes_max: int | None = None,
) -> RebalanceResult:
    """Walk the stages until one blocks the run or all are done."""

    def walk(gaps: MissingData) -> RebalanceResult:
        run = open_run(request, identity, gaps, ResultSize(bytes_max))
        for stage in stages:
            run = stage(run)
            if run.block is not None:
                break
        return result_of(run, engine_version)

    return within_bounds(walk, lambda: instruments_of(request))


def open_run(
    request: RebalanceRequest,
    identity: RunIdentity,
    gaps: MissingData = NO_GAPS,
    size: ResultSize | None = None,
) -> Run:
    """A run that knows its book and the value of the portfolio before trades (6.1)."""
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
        gaps=before.gaps + gaps,
        size=size,
    )


def universe_stage(run: Run) -> Run:
    universe = select_universe(run.index, run.before)
    return replace(run, universe=universe, gaps=run.gaps + universe.gaps)


def targets_stage(run: Run) -> Run:
    generate = TARGETS_BY_METHOD[run.index.options.target_method]
    targets = generate(run.index, run.universe, run.before.total, run.size)
    run.size.add_targets(targets.trace)
    return replace(run, targets=targets, warnings=run.warnings + targets.warnings)


def comparison_stage(run: Run) -> Run:
    if not run.index.options.compare_target_methods:
        return run
    comparison = compare_methods(run.index, run.universe, run.before.total, run.targets)
    return replace(run, comparison=comparison, warnings=run.warnings + divergence_warnings(comparison))


def input_check_stage(run: Run) -> Run:
    if run.targets.status == "BLOCKED" or run.gaps.blocking(run.index.options):
        return _stopped_before_trades(run, Block.INPUT)
    return run


def sizing_stage(run: Run) -> Run:
    sizing = size_trades(run.index, run.targets.trace, run.before.total)
    return replace(
        run,
        sizing=sizing,
        trades=sizing.trades,
        warnings=run.warnings + sizing.warnings,
        gaps=run.gaps + sizing.gaps,
    )


def sizing_check_stage(run: Run) -> Run:
    if run.gaps.blocking(run.index.options):
        return _stopped_before_trades(run, Block.SIZING)
    return run


def turnover_stage(run: Run) -> Run:
    index = run.index
    turnover = cap_turnover(run.trades, run.before.total, index.options.max_turnover_pct, index.base_currency)
    return replace(
        run, trades=turnover.kept, dropped=turnover.dropped, warnings=run.warnings + turnover.warnings
    )


def ordering_stage(run: Run) -> Run:
    ordered = order_trades(run.index, run.trades)
    return replace(run, ordered=ordered, gaps=run.gaps + ordered.gaps)


def settlement_stage(run: Run) -> Run:
    if not run.index.options.enable_settlement_awareness:
        return run
    ladder = project_cash_ladder(run.index, run.ordered.intents)
    run = replace(run, ladder=ladder, warnings=run.warnings + ladder.warnings)
    if not ladder.breaches:
        return run
    # The before-state is shown again, and what is missing in it is reported again (section 8, C).
    return replace(
        run,
        gaps=run.gaps + run.before.gaps,
        rules=(ladder_failure(ladder.breaches[0]),),
        block=Block.LADDER,
    )


def after_stage(run: Run) -> Run:
    positions, cash_balances = execute(run.index.portfolio, run.ordered.intents)
    after = value_state(run.index, positions, cash_balances, ValuationMode.CALCULATED, run.size)
    return replace(run, after=after, gaps=run.gaps + after.gaps)


def rules_stage(run: Run) -> Run:
    rules = evaluate_rules(run.after, run.index.options, gaps=run.gaps, suppressed=len(run.sizing.suppressed))
    return replace(
        run,
        rules=rules,
        warnings=run.warnings + safety_warnings(rules),
        block=Block.RULES if hard_failures(rules) else None,
    )


def reconciliation_stage(run: Run) -> Run:
    reconciled = reconcile(run.before.total, run.after.total, run.index.base_currency)
    if reconciled.failure is None:
        return replace(run, reconciliation=reconciled.reconciliation)
    return replace(
        run,
        reconciliation=reconciled.reconciliation,
        rules=(*run.rules, reconciled.failure),
        block=Block.RECONCILIATION,
    )


def _stopped_before_trades(run: Run, block: Block) -> Run:
    rules = evaluate_rules(
        run.before, run.index.options, gaps=run.gaps, suppressed=len(run.sizing.suppressed)
    )
    return replace(run, rules=rules, block=block)


STAGES: tuple[Stage, ...] = (
    universe_stage,
    targets_stage,
    comparison_stage,
    input_check_stage,
    sizing_stage,
    sizing_check_stage,
    turnover_stage,
    ordering_stage,
    settlement_stage,
    after_stage,
    rules_stage,
    reconciliation_stage,
)
