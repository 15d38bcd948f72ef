"""One simulation on its way through the stages: what is known so far, as one frozen value.

Each stage answers a new run that knows more; the first that sets `block` ends the walk (engine specification,
5 and 8).
"""

from __future__ import annotations

from enum import Enum

import msgspec

from service.domains.rebalances.results.diagnostics import DroppedIntent
from service.domains.rebalances.results.intents import SecurityTradeIntent
from service.domains.rebalances.results.rebalance import Reconciliation
from service.domains.rebalances.results.rules import RuleResult
from service.domains.rebalances.results.targets import TargetMethodComparison
from service.engines.dpm.request_index import RequestIndex
from service.engines.dpm.stages.ordering import Ordered
from service.engines.dpm.stages.settlement import Ladder
from service.engines.dpm.stages.sizing import Sizing
from service.engines.dpm.stages.targets import Targets
from service.engines.dpm.stages.universe import EMPTY_UNIVERSE, Universe
from service.engines.limits.result_size import ResultSize
from service.engines.portfolio.missing_data import MissingData
from service.engines.portfolio.valuation import Valuation


class RunIdentity(msgspec.Struct, frozen=True):
    """What the caller knows a run by; no stage reads it, the result carries it."""

    run_id: str
    correlation_id: str
    request_hash: str


class Block(Enum):
    """What ended a run, named as in section 8; A and B show no trades and no details."""

    INPUT = "A"
    SIZING = "B"
    LADDER = "C"
    RULES = "D"
    RECONCILIATION = "E"

    @property
    def early(self) -> bool:
        return self is Block.INPUT or self is Block.SIZING


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Stages read what earlier ones wrote; `after` is the before-state until trades have been simulated."""

    index: RequestIndex
    identity: RunIdentity
    before: Valuation
    after: Valuation
    gaps: MissingData
    size: ResultSize
    warnings: tuple[str, ...] = ()
    universe: Universe = EMPTY_UNIVERSE
    targets: Targets = Targets()
    comparison: TargetMethodComparison | None = None
    sizing: Sizing = Sizing()
    trades: tuple[SecurityTradeIntent, ...] = ()
    dropped: tuple[DroppedIntent, ...] = ()
    ordered: Ordered = Ordered()
    ladder: Ladder = Ladder()
    rules: tuple[RuleResult, ...] = ()
    reconciliation: Reconciliation | None = None
    block: Block | None = None
